use super::constants::netlink::{NLA_F_NESTED, NLA_TYPE_MASK, NLM_F_ACK, NLM_F_REQUEST};

const HEADER_LENGTH: usize = 16;
const ATTRIBUTE_HEADER_LENGTH: usize = 4;

/// A netlink request under construction: header, family header, attributes. All numbers
/// are in host byte order, as netlink wants them.
pub(super) struct Request {
    bytes: Vec<u8>,
}

impl Request {
    /// `kind` is an `RTM_` number; `flags` are added to those every request has.
    pub(super) fn new(kind: u16, flags: u16, family_header: &[u8]) -> Self {
        let mut bytes = vec![0; 4];
        bytes.extend(kind.to_ne_bytes());
        bytes.extend((flags | NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(family_header);
        Self { bytes }
    }

    pub(super) fn attribute(&mut self, kind: u16, value: &[u8]) -> &mut Self {
        let start = self.bytes.len();
        self.bytes.extend([0; ATTRIBUTE_HEADER_LENGTH]);
        self.bytes.extend(value);
        self.close(start, kind)
    }

    /// Adds a string with the zero byte at its end that the kernel expects.
    pub(super) fn text(&mut self, kind: u16, text: &str) -> &mut Self {
        let mut value = text.as_bytes().to_vec();
        value.push(0);
        self.attribute(kind, &value)
    }

    pub(super) fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) -> &mut Self {
        self.prefixed(kind, &[], fill)
    }

    /// A nest that starts with a structure of its own, as `VETH_INFO_PEER` does.
    pub(super) fn prefixed(
        &mut self,
        kind: u16,
        prefix: &[u8],
        fill: impl FnOnce(&mut Self),
    ) -> &mut Self {
        let start = self.bytes.len();
        self.bytes.extend([0; ATTRIBUTE_HEADER_LENGTH]);
        self.bytes.extend(prefix);
        fill(self);
        self.close(start, kind | NLA_F_NESTED)
    }

    /// The finished bytes, with the number by which the answer is recognised.
    pub(super) fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        overwrite(&mut self.bytes, 0, &length.to_ne_bytes());
        overwrite(&mut self.bytes, 8, &sequence.to_ne_bytes());
        self.bytes
    }

    /// Writes the header of the attribute that began at `start` and pads to four bytes.
    fn close(&mut self, start: usize, kind: u16) -> &mut Self {
        // A length that does not fit is refused by the kernel, as it disagrees with the
        // length of the whole message.
        let length = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        overwrite(&mut self.bytes, start, &length.to_ne_bytes());
        overwrite(&mut self.bytes, start + 2, &kind.to_ne_bytes());
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        self
    }
}

fn overwrite(bytes: &mut [u8], start: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(start..start + value.len()) {
        place.copy_from_slice(value);
    }
}

/// One message as received.
pub(super) struct Message<'a> {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    pub(super) payload: &'a [u8],
}

/// The messages of a datagram; ends early at one whose length is wrong.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(u32_at(bytes, 0)?).ok()?;
        let message = Message {
            kind: u16_at(bytes, 4)?,
            flags: u16_at(bytes, 6)?,
            sequence: u32_at(bytes, 8)?,
            payload: bytes.get(HEADER_LENGTH..length)?,
        };
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// Attributes as (type without flags, value); ends early at one whose length is wrong.
pub(super) fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16_at(bytes, 0)?);
        let kind = u16_at(bytes, 2)? & NLA_TYPE_MASK;
        let value = bytes.get(ATTRIBUTE_HEADER_LENGTH..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

pub(super) fn u16_at(bytes: &[u8], start: usize) -> Option<u16> {
    bytes.get(start..start + 2)?.try_into().map(u16::from_ne_bytes).ok()
}

pub(super) fn u32_at(bytes: &[u8], start: usize) -> Option<u32> {
    bytes.get(start..start + 4)?.try_into().map(u32::from_ne_bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_back_as_it_was_written() {
        let mut request = Request::new(16, 0x400, &[7; 16]);
        request.text(3, "eth0").nested(18, |info| {
            info.attribute(1, b"veth").prefixed(2, &[9; 16], |peer| {
                peer.text(3, "p");
            });
        });
        let bytes = request.finish(42);

        let read: Vec<_> = messages(&bytes).collect();
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].kind, read[0].flags, read[0].sequence), (16, 0x405, 42));
        assert_eq!(read[0].payload[..16], [7; 16]);
        let outer: Vec<_> = attributes(&read[0].payload[16..]).collect();
        assert_eq!(outer[0], (3, &b"eth0\0"[..]));
        let inner: Vec<_> = attributes(outer[1].1).collect();
        assert_eq!(inner[0], (1, &b"veth"[..]));
        assert_eq!(inner[1].1[..16], [9; 16]);
        assert_eq!(attributes(&inner[1].1[16..]).next(), Some((3, &b"p\0"[..])));
    }

    #[test]
    fn cut_off_or_senseless_bytes_end_the_reading() {
        let mut request = Request::new(16, 0, &[0; 16]);
        request.text(3, "eth0");
        let bytes = request.finish(1);
        for length in 0..bytes.len() - 3 {
            assert!(messages(&bytes[..length]).next().is_none(), "{length} bytes");
        }
        for senseless in [&[0, 0, 1, 0][..], &[3, 0, 1, 0], &[255, 255, 1, 0], &[4]] {
            assert!(attributes(senseless).next().is_none(), "{senseless:?}");
        }
    }
}
