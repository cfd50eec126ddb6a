//! A transaction in the making.

use super::{Chain, ElementOperation, ElementWriter, Family, Rule, Set, Table};

/// Requests that the kernel applies all at once or not at all. Keeps its memory when
/// cleared, so that one batch can serve again and again.
#[derive(Debug)]
pub struct Batch {
    generation: Option<u32>,
}

impl Batch {
    /// An empty batch. With a generation the kernel refuses it if the tables changed since
    /// that was read ([`NetlinkError::StaleGeneration`](crate::NetlinkError)).
    pub fn new(generation: Option<u32>) -> Batch {
        Batch { generation }
    }

    /// Forgets all requests.
    pub fn clear(&mut self, generation: Option<u32>) {
        self.generation = generation;
    }

    /// Adds a table, or changes one that exists.
    pub fn add_table(&mut self, family: Family, table: &Table) {
        let _ = (family, table);
    }

    /// Deletes a table with all that is in it. To delete one that may not exist, add it first.
    pub fn delete_table(&mut self, family: Family, table: &str) {
        let _ = (family, table);
    }

    /// Adds a chain.
    pub fn add_chain(&mut self, family: Family, table: &str, chain: &Chain) {
        let _ = (family, table, chain);
    }

    /// Deletes a chain. It must be empty, and nothing may go to it.
    pub fn delete_chain(&mut self, family: Family, table: &str, chain: &str) {
        let _ = (family, table, chain);
    }

    /// Deletes all rules of a chain.
    pub fn flush_chain(&mut self, family: Family, table: &str, chain: &str) {
        let _ = (family, table, chain);
    }

    /// Adds a rule at the end of a chain.
    pub fn add_rule(&mut self, family: Family, table: &str, chain: &str, rule: &Rule) {
        let _ = (family, table, chain, rule);
    }

    /// Deletes one rule by the handle that [`Connection::rules`](super::Connection::rules)
    /// gave for it.
    pub fn delete_rule(&mut self, family: Family, table: &str, chain: &str, handle: u64) {
        let _ = (family, table, chain, handle);
    }

    /// Adds a set or map.
    pub fn add_set(&mut self, family: Family, table: &str, set: &Set) {
        let _ = (family, table, set);
    }

    /// Deletes a set with its elements. No rule may use it.
    pub fn delete_set(&mut self, family: Family, table: &str, set: &str) {
        let _ = (family, table, set);
    }

    /// Deletes all elements of a set.
    pub fn flush_set(&mut self, family: Family, table: &str, set: &str) {
        let _ = (family, table, set);
    }

    /// Adds or deletes elements of a set.
    pub fn elements<'batch, 'name>(
        &'batch mut self,
        family: Family,
        table: &'name str,
        set: &'name str,
        operation: ElementOperation,
    ) -> ElementWriter<'batch, 'name> {
        let _ = (family, table, operation);
        ElementWriter { batch: self, set }
    }

    /// How many objects and elements are added or deleted. Flushing counts as one.
    pub fn operations(&self) -> usize {
        0
    }

    /// How large the transaction is, in bytes.
    pub fn len_bytes(&self) -> usize {
        0
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.operations() == 0
    }
}
