//! Writing messages and attributes into one growing buffer.

use std::fmt;

use super::message::{self, Header};
use super::{align, attribute};

/// Marks an attribute that holds attributes (`NLA_F_NESTED`).
const NESTED: u16 = 1 << 15;

/// A buffer of messages. Lengths that do not fit into their field are not written wrongly
/// but remembered as a fault, which the owner takes and reports.
#[derive(Default)]
pub(crate) struct Encoder {
    bytes: Vec<u8>,
    fault: bool,
}

impl fmt::Debug for Encoder {
    /// Megabytes of numbers would help nobody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("length", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl Encoder {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// Whether something since the last call did not fit.
    pub(crate) fn take_fault(&mut self) -> bool {
        std::mem::take(&mut self.fault)
    }

    /// Starts a message; returns its offset for [`Encoder::end_message`].
    pub(crate) fn begin_message(&mut self, header: Header) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&header.encode());
        start
    }

    /// Starts a message of another family, whose own header is given as bytes: that of
    /// rtnetlink has twelve. Returns its offset as [`Encoder::begin_message`] does.
    pub(crate) fn begin_message_with(
        &mut self,
        kind: u16,
        flags: u16,
        sequence: u32,
        family_header: &[u8],
    ) -> usize {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&message::netlink_header(0, kind, flags, sequence));
        self.bytes.extend_from_slice(family_header);
        self.pad();
        start
    }

    /// Gives a message its length.
    pub(crate) fn end_message(&mut self, start: usize) {
        match u32::try_from(self.bytes.len().saturating_sub(start)) {
            Ok(length) => self.patch(start, &length.to_ne_bytes()),
            Err(_) => self.fault = true,
        }
    }

    /// Replaces the sequence number and flags of a message.
    pub(crate) fn patch_header(&mut self, start: usize, sequence: u32, flags: u16) {
        self.patch(start.saturating_add(message::FLAGS_OFFSET), &flags.to_ne_bytes());
        self.patch(start.saturating_add(message::SEQUENCE_OFFSET), &sequence.to_ne_bytes());
    }

    /// Starts an attribute that holds others; returns its offset for
    /// [`Encoder::end_nested`].
    pub(crate) fn begin_nested(&mut self, kind: u16) -> usize {
        let start = self.bytes.len();
        self.attribute_header(attribute::HEADER, kind | NESTED);
        start
    }

    /// Gives an attribute its length.
    pub(crate) fn end_nested(&mut self, start: usize) {
        match u16::try_from(self.bytes.len().saturating_sub(start)) {
            Ok(length) => self.patch(start, &length.to_ne_bytes()),
            Err(_) => self.fault = true,
        }
    }

    /// Writes an attribute that holds what `write` writes.
    pub(crate) fn nested(&mut self, kind: u16, write: impl FnOnce(&mut Encoder)) {
        let start = self.begin_nested(kind);
        write(self);
        self.end_nested(start);
    }

    pub(crate) fn attribute(&mut self, kind: u16, payload: &[u8]) {
        self.attribute_header(attribute::HEADER.saturating_add(payload.len()), kind);
        self.bytes.extend_from_slice(payload);
        self.pad();
    }

    pub(crate) fn u8(&mut self, kind: u16, number: u8) {
        self.attribute(kind, &[number]);
    }

    /// Writes a number in host byte order.
    pub(crate) fn ne32(&mut self, kind: u16, number: u32) {
        self.attribute(kind, &number.to_ne_bytes());
    }

    pub(crate) fn be32(&mut self, kind: u16, number: u32) {
        self.attribute(kind, &number.to_be_bytes());
    }

    pub(crate) fn be64(&mut self, kind: u16, number: u64) {
        self.attribute(kind, &number.to_be_bytes());
    }

    /// Writes text with a zero byte at its end. One within would cut the text short in the
    /// kernel, so it is a fault.
    pub(crate) fn text(&mut self, kind: u16, text: &str) {
        self.fault |= text.contains('\0');
        let length = attribute::HEADER.saturating_add(text.len()).saturating_add(1);
        self.attribute_header(length, kind);
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(0);
        self.pad();
    }

    fn attribute_header(&mut self, length: usize, kind: u16) {
        let length = u16::try_from(length).unwrap_or_else(|_| {
            self.fault = true;
            u16::MAX
        });
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
    }

    fn pad(&mut self) {
        self.bytes.resize(align(self.bytes.len()), 0);
    }

    fn patch(&mut self, offset: usize, with: &[u8]) {
        let end = offset.saturating_add(with.len());
        if let Some(place) = self.bytes.get_mut(offset..end) {
            place.copy_from_slice(with);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_nested_ones_know_their_length() {
        let mut encoder = Encoder::default();
        encoder.nested(2, |encoder| {
            encoder.text(1, "lb");
            encoder.be32(3, 7);
        });
        assert_eq!(
            encoder.bytes(),
            [20, 0, 2, 0x80, 7, 0, 1, 0, b'l', b'b', 0, 0, 8, 0, 3, 0, 0, 0, 0, 7]
        );
        assert!(!encoder.take_fault());
    }

    #[test]
    fn what_does_not_fit_is_a_fault_and_never_a_wrong_length() {
        let long = vec![0; 0x10000];
        let mut encoder = Encoder::default();
        encoder.attribute(1, &long);
        assert!(encoder.take_fault());
        assert!(!encoder.take_fault(), "a fault is reported once");
        encoder.nested(1, |encoder| {
            encoder.attribute(1, &long[..40_000]);
            encoder.attribute(1, &long[..40_000]);
        });
        assert!(encoder.take_fault());
        encoder.text(1, "a\0b");
        assert!(encoder.take_fault());
    }
}
