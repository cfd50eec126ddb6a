//! A single request.

use super::super::uapi::flag;
use super::super::{Family, describe};
use crate::wire::encoder::Encoder;
use crate::wire::message::{Header, Message, Messages};

/// A single request, encoded.
pub(in super::super) struct Request {
    encoder: Encoder,
    sequence: u32,
}

impl Request {
    pub(in super::super) fn new(
        kind: u16,
        flags: u16,
        family: u8,
        write: impl FnOnce(&mut Encoder),
    ) -> Request {
        let mut encoder = Encoder::default();
        let flags = flags | flag::REQUEST;
        let start = encoder.begin_message(Header { kind, flags, family, ..Header::default() });
        write(&mut encoder);
        encoder.end_message(start);
        Request { encoder, sequence: 0 }
    }

    pub(super) fn list(kind: u16, family: Family, write: impl FnOnce(&mut Encoder)) -> Request {
        Request::new(kind, flag::DUMP, family.number(), write)
    }

    pub(in super::super) fn bytes(&self) -> &[u8] {
        self.encoder.bytes()
    }

    pub(super) fn message(&self) -> Option<Message<'_>> {
        Messages::new(self.bytes()).next().flatten()
    }

    pub(in super::super) fn describe(&self) -> String {
        self.message().map_or_else(String::new, |message| describe::request(&message))
    }

    pub(in super::super) fn number(&mut self, sequence: u32) {
        self.sequence = sequence;
        let flags = self.message().map_or(0, |message| message.flags);
        self.encoder.patch_header(0, sequence, flags);
    }

    pub(in super::super) fn sequence(&self) -> u32 {
        self.sequence
    }

    /// Whether many messages will answer, the last of them an end mark.
    pub(super) fn is_dump(&self) -> bool {
        self.message().is_some_and(|message| message.flags & flag::DUMP != 0)
    }
}
