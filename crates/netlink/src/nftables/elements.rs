//! Elements on their way to the kernel.

use super::uapi::{ELEMENT_INTERVAL_END, USERDATA_MAX, element, element_list, flag, list, message};
use super::userdata;
use super::{Batch, Data, Family};
use crate::wire::encoder::Encoder;

/// The most bytes of elements that one message carries. The list of elements is an
/// attribute, whose length is a 16-bit number; what is left is more than any element needs.
const LIST_LIMIT: usize = 60_000;

/// What happens to the elements of an [`ElementWriter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementOperation {
    /// They are added. One that exists with the same data is left alone; one with other
    /// data makes the kernel refuse the batch (`EEXIST`): delete it first, in the same batch.
    Add,
    /// They are deleted. One that does not exist makes the kernel refuse the batch
    /// (`ENOENT`).
    Delete,
}

/// Writes elements of one set into a batch, starting further messages as they fill up.
#[derive(Debug)]
pub struct ElementWriter<'batch, 'name> {
    batch: &'batch mut Batch,
    family: Family,
    table: &'name str,
    set: &'name str,
    operation: ElementOperation,
    open: Option<Open>,
}

/// A message that still takes elements.
#[derive(Clone, Copy, Debug)]
struct Open {
    message: usize,
    list: usize,
}

/// An element to be written.
#[derive(Clone, Copy, Default)]
struct Element<'a> {
    key: &'a [u8],
    key_end: Option<&'a [u8]>,
    flags: u32,
    data: Option<Data<'a>>,
    comment: Option<&'a str>,
    open_ended: bool,
}

impl<'batch, 'name> ElementWriter<'batch, 'name> {
    pub(super) fn new(
        batch: &'batch mut Batch,
        family: Family,
        table: &'name str,
        set: &'name str,
        operation: ElementOperation,
    ) -> ElementWriter<'batch, 'name> {
        ElementWriter { batch, family, table, set, operation, open: None }
    }

    /// Writes an element. A deletion needs the key alone and ignores the rest.
    pub fn push(&mut self, key: &[u8], data: Option<Data<'_>>, comment: Option<&str>) {
        self.write(&Element { key, data, comment, ..Element::default() });
        self.batch.count_element();
    }

    /// Writes an element of an interval set whose key is a single field: the range from
    /// `first` to `last`, both included, in network byte order. Ranges of one set must not
    /// overlap.
    pub fn push_range(
        &mut self,
        first: &[u8],
        last: &[u8],
        data: Option<Data<'_>>,
        comment: Option<&str>,
    ) {
        let end = successor(last);
        let open_ended = end.is_none();
        self.write(&Element { key: first, data, comment, open_ended, ..Element::default() });
        if let Some(end) = end {
            let flags = ELEMENT_INTERVAL_END;
            self.write(&Element { key: &end, flags, ..Element::default() });
        }
        self.batch.count_element();
    }

    /// Writes an element of an interval set whose key is a concatenation: a range in each
    /// field, from that in `first` to that in `last`, both included.
    pub fn push_ranges(
        &mut self,
        first: &[u8],
        last: &[u8],
        data: Option<Data<'_>>,
        comment: Option<&str>,
    ) {
        let key_end = Some(last);
        self.write(&Element { key: first, key_end, data, comment, ..Element::default() });
        self.batch.count_element();
    }

    fn write(&mut self, element: &Element<'_>) {
        let open = self.open_message();
        let mut userdata = self.batch.take_userdata();
        element.describe(&mut userdata);
        let encoder = self.batch.encoder();
        encoder.nested(list::ELEM, |encoder| {
            element.encode(self.operation, &userdata, encoder);
        });
        encoder.end_nested(open.list);
        self.batch.end(open.message);
        self.batch.return_userdata(userdata);
    }

    /// The message for the next element: a new one if there is none yet or it is full.
    fn open_message(&mut self) -> Open {
        if let Some(open) = self.open {
            let used = self.batch.len_bytes().saturating_sub(open.list);
            if used < LIST_LIMIT {
                return open;
            }
        }
        let (kind, flags) = match self.operation {
            ElementOperation::Add => (message::NEW_ELEMENTS, flag::CREATE),
            ElementOperation::Delete => (message::DELETE_ELEMENTS, 0),
        };
        let message = self.batch.begin(kind, flags, self.family);
        let encoder = self.batch.encoder();
        encoder.text(element_list::TABLE, self.table);
        encoder.text(element_list::SET, self.set);
        let open = Open { message, list: encoder.begin_nested(element_list::ELEMENTS) };
        self.open = Some(open);
        open
    }
}

impl Element<'_> {
    fn encode(&self, operation: ElementOperation, userdata: &[u8], encoder: &mut Encoder) {
        Data::Bytes(self.key).encode(element::KEY, encoder);
        if let Some(key_end) = self.key_end {
            Data::Bytes(key_end).encode(element::KEY_END, encoder);
        }
        if self.flags != 0 {
            encoder.be32(element::FLAGS, self.flags);
        }
        if operation == ElementOperation::Delete {
            return;
        }
        if let Some(data) = self.data {
            data.encode(element::DATA, encoder);
        }
        if !userdata.is_empty() {
            encoder.attribute(element::USERDATA, userdata);
        }
    }

    /// Writes what nft keeps with an element.
    fn describe(&self, buffer: &mut Vec<u8>) {
        /// `NFTNL_SET_ELEM_F_INTERVAL_OPEN`: the range has no end because its last key is
        /// the highest there is.
        const OPEN_ENDED: u32 = 1;
        if let Some(comment) = self.comment {
            userdata::put_comment(buffer, userdata::COMMENT, comment, USERDATA_MAX);
        }
        if self.open_ended {
            userdata::put(buffer, userdata::ELEMENT_FLAGS, &OPEN_ENDED.to_ne_bytes());
        }
    }
}

/// The key that follows a key in network byte order; `None` behind the highest.
fn successor(key: &[u8]) -> Option<Vec<u8>> {
    let mut next = key.to_vec();
    for byte in next.iter_mut().rev() {
        *byte = byte.wrapping_add(1);
        if *byte != 0 {
            return Some(next);
        }
    }
    None
}

#[cfg(test)]
#[path = "elements_tests.rs"]
mod tests;
