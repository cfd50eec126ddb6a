//! Message headers.

use super::align;

/// `struct nlmsghdr`: length, kind, flags, sequence number, port.
pub(crate) const HEADER: usize = 16;
/// `struct nfgenmsg` (family, version, resource) or `struct genlmsghdr` (command, version,
/// reserved).
pub(crate) const FAMILY_HEADER: usize = 4;
pub(crate) const FLAGS_OFFSET: usize = 6;
pub(crate) const SEQUENCE_OFFSET: usize = 8;

/// The header of a message: that of netlink and, behind it, that of nfnetlink or of generic
/// netlink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    /// In generic netlink the command.
    pub(crate) family: u8,
    /// Zero in nfnetlink.
    pub(crate) version: u8,
    /// `res_id`: the subsystem in the messages that frame a batch; in listings the lower
    /// half of the generation.
    pub(crate) resource: u16,
}

impl Header {
    /// The bytes, with the length of a message that has no attributes.
    pub(crate) fn encode(self) -> [u8; HEADER + FAMILY_HEADER] {
        let [high, low] = self.resource.to_be_bytes();
        let mut bytes = [0; HEADER + FAMILY_HEADER];
        let (netlink, family) = bytes.split_at_mut(HEADER);
        netlink.copy_from_slice(&netlink_header(20, self.kind, self.flags, self.sequence));
        family.copy_from_slice(&[self.family, self.version, high, low]);
        bytes
    }
}

/// `struct nlmsghdr`; the port is left to the kernel.
pub(crate) fn netlink_header(length: u32, kind: u16, flags: u16, sequence: u32) -> [u8; HEADER] {
    let [l0, l1, l2, l3] = length.to_ne_bytes();
    let [k0, k1] = kind.to_ne_bytes();
    let [f0, f1] = flags.to_ne_bytes();
    let [s0, s1, s2, s3] = sequence.to_ne_bytes();
    [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, 0, 0, 0, 0]
}

/// A message that was received or is about to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    /// Where it begins in the bytes that were iterated over.
    pub(crate) start: usize,
    /// All of it, the header included.
    pub(crate) bytes: &'a [u8],
}

impl<'a> Message<'a> {
    /// What follows the netlink header.
    pub(crate) fn payload(&self) -> &'a [u8] {
        self.bytes.get(HEADER..).unwrap_or_default()
    }

    /// The family and resource of a netfilter message, and its attributes.
    pub(crate) fn netfilter(&self) -> Option<(u8, u16, &'a [u8])> {
        let (&[family, _version, high, low], attributes) = self.payload().split_first_chunk()?;
        Some((family, u16::from_be_bytes([high, low]), attributes))
    }
}

/// Goes through messages laid end to end. Yields `None` once for bytes that are no message,
/// and ends.
#[derive(Clone, Debug)]
pub(crate) struct Messages<'a> {
    rest: &'a [u8],
    position: usize,
}

impl<'a> Messages<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Messages<'a> {
        Messages { rest: bytes, position: 0 }
    }

    fn take(&mut self) -> Option<Message<'a>> {
        let (&[l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, _, _, _, _], _) =
            self.rest.split_first_chunk::<HEADER>()?;
        let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).ok()?;
        if length < HEADER {
            return None;
        }
        let message = Message {
            kind: u16::from_ne_bytes([k0, k1]),
            flags: u16::from_ne_bytes([f0, f1]),
            sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
            start: self.position,
            bytes: self.rest.get(..length)?,
        };
        self.position = self.position.saturating_add(align(length));
        self.rest = self.rest.get(align(length)..).unwrap_or_default();
        Some(message)
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Option<Message<'a>>;

    fn next(&mut self) -> Option<Option<Message<'a>>> {
        if self.rest.is_empty() {
            return None;
        }
        let message = self.take();
        if message.is_none() {
            self.rest = &[];
        }
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_header_is_read_as_it_was_written() {
        let header =
            Header { kind: 2572, flags: 5, sequence: 9, family: 2, version: 0, resource: 10 };
        let bytes = header.encode();
        let message = Messages::new(&bytes).next().unwrap().unwrap();
        assert_eq!((message.kind, message.flags, message.sequence), (2572, 5, 9));
        assert_eq!(message.netfilter(), Some((2, 10, &[][..])));
    }

    #[test]
    fn lengths_that_lie_end_the_walk() {
        let mut bytes = Header::default().encode();
        for length in [0_u32, 15, 21, u32::MAX] {
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(Messages::new(&bytes).collect::<Vec<_>>(), [None], "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Messages::new(&bytes).count() <= bytes.len() / HEADER + 1);
        }
    }
}
