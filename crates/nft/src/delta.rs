//! What separates two states of a table, and how it is written as one transaction.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use portolan_netlink::nftables::{
    self, Batch, Chain, Data, ElementOperation, ElementWriter, Rule, Table, Verdict,
};

use crate::container::Container;
use crate::element::{Element, Value, last_client};
use crate::inventory::Inventory;
use crate::key::{Key, endpoint_to_kernel};
use crate::lower::kernel_family;

/// The operations that make one state of a family's table out of another. They are written
/// in the order of the fields, which is the order in which the kernel accepts them.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Delta {
    /// Delete the table, with all that is in it.
    pub(crate) delete_table: bool,
    /// Make the table.
    pub(crate) add_table: Option<Table>,
    /// Chains whose rules go.
    pub(crate) flush_chains: Vec<String>,
    /// Base chains that must go or be made again; their rules have gone.
    pub(crate) delete_chains: Vec<String>,
    /// Sets and maps that go; no rule uses them any more.
    pub(crate) delete_sets: Vec<String>,
    /// Sets and maps to make, with their sizes.
    pub(crate) add_sets: Vec<(Container, u32)>,
    /// Chains to make.
    pub(crate) add_chains: Vec<Chain>,
    /// Rules to append, by chain.
    pub(crate) add_rules: Vec<(String, Rule)>,
    /// Elements to delete.
    pub(crate) delete_elements: BTreeMap<Container, Vec<Key>>,
    /// Elements to add.
    pub(crate) add_elements: BTreeMap<Container, Vec<Element>>,
    /// Containers that are empty by then and get all that the inventory has for them, with
    /// the number of those elements.
    pub(crate) fill_elements: BTreeMap<Container, usize>,
    /// Chains that nothing leads to any more. Kernels before 6.2 notice only after a
    /// transaction that an element of it no longer leads to a chain, so these belong to
    /// chains that were unused before it.
    pub(crate) remove_chains: Vec<String>,
    /// Switch the table on, which others switched off. No transaction that does so may add or
    /// delete base chains (`nf_tables_addchain`, `nf_tables_updtable`, v6.9).
    pub(crate) wake_table: Option<Table>,
}

impl Delta {
    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        *self == Delta::default()
    }

    /// Objects and elements that are added or changed.
    pub(crate) fn added(&self) -> usize {
        usize::from(self.add_table.is_some())
            + usize::from(self.wake_table.is_some())
            + self.add_sets.len()
            + self.add_chains.len()
            + self.add_rules.len()
            + self.add_elements.values().map(Vec::len).sum::<usize>()
            + self.fill_elements.values().sum::<usize>()
    }

    /// Objects and elements that are deleted, those to be replaced included.
    pub(crate) fn deleted(&self) -> usize {
        usize::from(self.delete_table)
            + self.delete_chains.len()
            + self.delete_sets.len()
            + self.remove_chains.len()
            + self.delete_elements.values().map(Vec::len).sum::<usize>()
    }

    /// Appends the operations to a transaction.
    pub(crate) fn write(&self, table: &str, inventory: Inventory<'_>, batch: &mut Batch) {
        let family = inventory.settings.family;
        let kernel = kernel_family(family);
        if self.delete_table {
            batch.delete_table(kernel, table);
        }
        if let Some(declaration) = &self.add_table {
            batch.add_table(kernel, declaration);
        }
        for chain in &self.flush_chains {
            batch.flush_chain(kernel, table, chain);
        }
        for chain in &self.delete_chains {
            batch.delete_chain(kernel, table, chain);
        }
        for set in &self.delete_sets {
            batch.delete_set(kernel, table, set);
        }
        for (container, size) in &self.add_sets {
            batch.add_set(kernel, table, &container.declaration(family, *size));
        }
        for chain in &self.add_chains {
            batch.add_chain(kernel, table, chain);
        }
        for (chain, rule) in &self.add_rules {
            batch.add_rule(kernel, table, chain, rule);
        }
        self.write_elements(kernel, table, inventory, batch);
        for chain in &self.remove_chains {
            batch.flush_chain(kernel, table, chain);
        }
        for chain in &self.remove_chains {
            batch.delete_chain(kernel, table, chain);
        }
        if let Some(declaration) = &self.wake_table {
            // Adding a table that exists switches it on.
            batch.add_table(kernel, declaration);
        }
    }

    fn write_elements(
        &self,
        family: nftables::Family,
        table: &str,
        inventory: Inventory<'_>,
        batch: &mut Batch,
    ) {
        for (container, keys) in &self.delete_elements {
            let name = container.name();
            let mut writer = batch.elements(family, table, name, ElementOperation::Delete);
            keys.iter().for_each(|key| writer.push(key.as_bytes(), None, None));
        }
        for (container, elements) in &self.add_elements {
            let mut adder = Adder::new(batch, family, table, *container);
            elements.iter().for_each(|element| adder.add(element));
        }
        let filled: Vec<Container> = self.fill_elements.keys().copied().collect();
        let sources = inventory.sources(&filled);
        for container in filled {
            let mut adder = Adder::new(batch, family, table, container);
            inventory.of(container, &sources, &mut |element| adder.add(&element));
        }
    }
}

/// Adds elements to one container.
struct Adder<'batch, 'name> {
    writer: ElementWriter<'batch, 'name>,
    /// Where the name of a chain is put together.
    chain: String,
}

impl<'batch, 'name> Adder<'batch, 'name> {
    fn new(
        batch: &'batch mut Batch,
        family: nftables::Family,
        table: &'name str,
        container: Container,
    ) -> Adder<'batch, 'name> {
        let writer = batch.elements(family, table, container.name(), ElementOperation::Add);
        Adder { writer, chain: String::new() }
    }

    fn add(&mut self, element: &Element) {
        let Adder { writer, chain } = self;
        let comment = element.comment.as_deref();
        let key = element.key.as_bytes();
        match element.value {
            Value::Network(length) => {
                let last = last_client(element.key, length).unwrap_or(element.key);
                writer.push_ranges(key, last.as_bytes(), None, comment);
            }
            Value::Seat(seat) => {
                writer.push(key, Some(Data::Bytes(&seat.to_ne_bytes())), comment);
            }
            Value::Present | Value::Foreign => writer.push(key, None, comment),
            Value::Drop => writer.push(key, Some(Data::Verdict(Verdict::Drop)), comment),
            Value::Endpoint(endpoint) => {
                let value = endpoint_to_kernel(endpoint);
                writer.push(key, Some(Data::Bytes(value.as_bytes())), comment);
            }
            Value::Chain(target) => {
                chain.clear();
                // Writing to a String cannot fail.
                let _ = write!(chain, "{target}");
                writer.push(key, Some(Data::Verdict(Verdict::Goto(chain))), comment);
            }
        }
    }
}
