//! A transaction in the making.

use super::uapi::{self, chain, flag, message, rule, set, table};
use super::{Chain, ElementOperation, ElementWriter, Family, Rule, Set, Table, describe};
use crate::wire::encoder::Encoder;
use crate::wire::message::{Header, Messages};

/// Requests that the kernel applies all at once or not at all. Keeps its memory when
/// cleared, so that one batch can serve again and again.
///
/// A name that holds a zero byte, or anything longer than 64 KiB, cannot be written; the
/// batch remembers it and [`commit`](super::Connection::commit) says so.
#[derive(Debug)]
pub struct Batch {
    encoder: Encoder,
    generation: Option<u32>,
    messages: u32,
    operations: usize,
    /// Where the last message begins that is not the end of the frame.
    last_message: usize,
    unencodable: Option<String>,
    /// Where the user data of an element is put together.
    userdata: Vec<u8>,
}

impl Batch {
    /// An empty batch. With a generation the kernel refuses it if the tables changed since
    /// that was read ([`NetlinkError::StaleGeneration`](crate::NetlinkError)).
    pub fn new(generation: Option<u32>) -> Batch {
        let mut batch = Batch {
            encoder: Encoder::default(),
            generation: None,
            messages: 0,
            operations: 0,
            last_message: 0,
            unencodable: None,
            userdata: Vec::new(),
        };
        batch.clear(generation);
        batch
    }

    /// Forgets all requests, and starts anew for a generation.
    pub fn clear(&mut self, generation: Option<u32>) {
        self.encoder.truncate(0);
        self.generation = generation;
        self.operations = 0;
        self.unencodable = None;
        self.frame(message::BATCH_BEGIN, generation);
        self.messages = 1;
    }

    /// Adds a table. One that exists stays, and is woken or put to sleep.
    pub fn add_table(&mut self, family: Family, table: &Table) {
        self.request(message::NEW_TABLE, flag::CREATE, family, |encoder| table.encode(encoder));
    }

    /// Deletes a table with all that is in it. To delete one that may not exist, add it first.
    pub fn delete_table(&mut self, family: Family, table: &str) {
        self.request(message::DELETE_TABLE, 0, family, |encoder| {
            encoder.text(table::NAME, table);
        });
    }

    /// Adds a chain. One that exists stays as it is.
    pub fn add_chain(&mut self, family: Family, table: &str, chain: &Chain) {
        self.request(message::NEW_CHAIN, flag::CREATE, family, |encoder| {
            chain.encode(table, encoder);
        });
    }

    /// Deletes a chain with its rules. No rule or element elsewhere may lead to it.
    pub fn delete_chain(&mut self, family: Family, table: &str, chain: &str) {
        self.request(message::DELETE_CHAIN, 0, family, |encoder| {
            encoder.text(chain::TABLE, table);
            encoder.text(chain::NAME, chain);
        });
    }

    /// Deletes all rules of a chain.
    pub fn flush_chain(&mut self, family: Family, table: &str, chain: &str) {
        self.request(message::DELETE_RULE, 0, family, |encoder| {
            encoder.text(rule::TABLE, table);
            encoder.text(rule::CHAIN, chain);
        });
    }

    /// Adds a rule at the end of a chain.
    pub fn add_rule(&mut self, family: Family, table: &str, chain: &str, rule: &Rule) {
        self.request(message::NEW_RULE, flag::CREATE | flag::APPEND, family, |encoder| {
            rule.encode(table, chain, encoder);
        });
    }

    /// Deletes one rule by the handle that [`Connection::rules`](super::Connection::rules)
    /// gave for it.
    pub fn delete_rule(&mut self, family: Family, table: &str, chain: &str, handle: u64) {
        self.request(message::DELETE_RULE, 0, family, |encoder| {
            encoder.text(rule::TABLE, table);
            encoder.text(rule::CHAIN, chain);
            encoder.be64(rule::HANDLE, handle);
        });
    }

    /// Adds a set or map. One that exists stays as it is; since Linux 6.2 it must have been
    /// declared alike.
    pub fn add_set(&mut self, family: Family, table: &str, set: &Set) {
        let id = self.messages;
        self.request(message::NEW_SET, flag::CREATE, family, |encoder| {
            set.encode(table, id, encoder);
        });
    }

    /// Deletes a set with its elements. No rule may use it; rules deleted earlier in the
    /// batch do not count.
    pub fn delete_set(&mut self, family: Family, table: &str, set: &str) {
        self.request(message::DELETE_SET, 0, family, |encoder| {
            encoder.text(set::TABLE, table);
            encoder.text(set::NAME, set);
        });
    }

    /// Deletes all elements of a set.
    pub fn flush_set(&mut self, family: Family, table: &str, set: &str) {
        self.request(message::DELETE_ELEMENTS, 0, family, |encoder| {
            encoder.text(uapi::element_list::TABLE, table);
            encoder.text(uapi::element_list::SET, set);
        });
    }

    /// Adds or deletes elements of a set, one by one.
    pub fn elements<'batch, 'name>(
        &'batch mut self,
        family: Family,
        table: &'name str,
        set: &'name str,
        operation: ElementOperation,
    ) -> ElementWriter<'batch, 'name> {
        ElementWriter::new(self, family, table, set, operation)
    }

    /// How many objects and elements are added or deleted. Flushing counts as one.
    pub fn operations(&self) -> usize {
        self.operations
    }

    /// How large the transaction is, in bytes.
    pub fn len_bytes(&self) -> usize {
        self.encoder.len()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.operations == 0
    }

    fn request(&mut self, kind: u16, flags: u16, family: Family, write: impl FnOnce(&mut Encoder)) {
        let start = self.begin(kind, flags, family);
        write(&mut self.encoder);
        self.end(start);
        self.operations = self.operations.saturating_add(1);
    }

    /// Starts a request whose content the caller writes.
    pub(super) fn begin(&mut self, kind: u16, flags: u16, family: Family) -> usize {
        let flags = flags | flag::REQUEST;
        let header = Header { kind, flags, family: family.number(), ..Header::default() };
        self.last_message = self.encoder.begin_message(header);
        self.messages = self.messages.saturating_add(1);
        self.last_message
    }

    /// Gives a request its length, and remembers if something in it did not fit.
    pub(super) fn end(&mut self, start: usize) {
        self.encoder.end_message(start);
        if self.encoder.take_fault() && self.unencodable.is_none() {
            let bytes = self.encoder.bytes().get(start..).unwrap_or_default();
            let request = Messages::new(bytes).next().flatten();
            self.unencodable = Some(request.map_or_else(String::new, |m| describe::request(&m)));
        }
    }

    pub(super) fn encoder(&mut self) -> &mut Encoder {
        &mut self.encoder
    }

    /// Lends out the buffer for user data, empty.
    pub(super) fn take_userdata(&mut self) -> Vec<u8> {
        self.userdata.clear();
        std::mem::take(&mut self.userdata)
    }

    pub(super) fn return_userdata(&mut self, buffer: Vec<u8>) {
        self.userdata = buffer;
    }

    pub(super) fn count_element(&mut self) {
        self.operations = self.operations.saturating_add(1);
    }

    /// Writes one of the two messages that frame a batch.
    fn frame(&mut self, kind: u16, generation: Option<u32>) {
        let flags = flag::REQUEST;
        let header = Header { kind, flags, resource: message::SUBSYSTEM, ..Header::default() };
        let start = self.encoder.begin_message(header);
        if let Some(generation) = generation {
            self.encoder.be32(uapi::BATCH_GENERATION, generation);
        }
        self.encoder.end_message(start);
    }
}

/// What the connection does with a batch.
impl Batch {
    /// The messages, the two of the frame included.
    pub(super) fn messages(&self) -> u32 {
        self.messages.saturating_add(1)
    }

    pub(super) fn generation(&self) -> Option<u32> {
        self.generation
    }

    /// The request that could not be written, if there is one.
    pub(super) fn unencodable(&self) -> Option<&str> {
        self.unencodable.as_deref()
    }

    /// Numbers the messages from `first`, asks for an acknowledgement of the last request
    /// and closes the frame. Returns where it was open.
    pub(super) fn seal(&mut self, first: u32) -> usize {
        let open = self.encoder.len();
        self.frame(message::BATCH_END, None);
        let mut sequence = first;
        let mut start = 0;
        while let Some(Some(request)) = self.message_at(start) {
            let (flags, length) = (request.flags & !flag::ACKNOWLEDGE, request.bytes.len());
            let wanted = if start == self.last_message { flag::ACKNOWLEDGE } else { 0 };
            self.encoder.patch_header(start, sequence, flags | wanted);
            sequence = sequence.wrapping_add(1);
            start = start.saturating_add(crate::wire::align(length));
        }
        open
    }

    /// Opens the frame again, so that requests can be added.
    pub(super) fn unseal(&mut self, open: usize) {
        self.encoder.truncate(open);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.encoder.bytes()
    }

    fn message_at(&self, start: usize) -> Option<Option<crate::wire::message::Message<'_>>> {
        Messages::new(self.encoder.bytes().get(start..)?).next()
    }
}

#[cfg(test)]
#[path = "batch_tests.rs"]
mod tests;
