//! Reading attributes. Nothing here trusts a length.

use std::borrow::Cow;

use super::align;

/// Length and kind, 16 bits each (`struct nlattr`).
pub(crate) const HEADER: usize = 4;
/// The bits of the kind that are the kind; the others are `NLA_F_NESTED` and
/// `NLA_F_NET_BYTEORDER`.
const KIND_MASK: u16 = 0x3fff;

/// One attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attribute<'a> {
    pub(crate) kind: u16,
    /// Where its header begins in the bytes that were iterated over.
    pub(crate) start: usize,
    pub(crate) payload: &'a [u8],
}

/// Goes through attributes laid end to end. Yields `None` once for bytes that are no
/// attribute, and ends.
#[derive(Clone, Debug)]
pub(crate) struct Attributes<'a> {
    rest: &'a [u8],
    position: usize,
}

impl<'a> Attributes<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Attributes<'a> {
        Attributes { rest: bytes, position: 0 }
    }

    fn take(&mut self) -> Option<Attribute<'a>> {
        let (&[low, high, kind_low, kind_high], _) = self.rest.split_first_chunk()?;
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let payload = self.rest.get(HEADER..length)?;
        let kind = u16::from_ne_bytes([kind_low, kind_high]) & KIND_MASK;
        let attribute = Attribute { kind, start: self.position, payload };
        self.position = self.position.saturating_add(align(length));
        self.rest = self.rest.get(align(length)..).unwrap_or_default();
        Some(attribute)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Option<Attribute<'a>>;

    fn next(&mut self) -> Option<Option<Attribute<'a>>> {
        if self.rest.is_empty() {
            return None;
        }
        let attribute = self.take();
        if attribute.is_none() {
            self.rest = &[];
        }
        Some(attribute)
    }
}

/// Attributes by kind, those of `N` and above left out: kernels newer than this program
/// may send them. Of several of one kind the last counts, as in the kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AttributeSet<'a, const N: usize>([Option<&'a [u8]>; N]);

impl<'a, const N: usize> AttributeSet<'a, N> {
    /// `None` if the bytes are not attributes from end to end.
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<AttributeSet<'a, N>> {
        let mut set = [None; N];
        for attribute in Attributes::new(bytes) {
            let Attribute { kind, payload, .. } = attribute?;
            if let Some(slot) = set.get_mut(usize::from(kind)) {
                *slot = Some(payload);
            }
        }
        Some(AttributeSet(set))
    }

    pub(crate) fn get(&self, kind: u16) -> Option<&'a [u8]> {
        self.0.get(usize::from(kind)).copied().flatten()
    }

    pub(crate) fn nested<const M: usize>(&self, kind: u16) -> Option<AttributeSet<'a, M>> {
        AttributeSet::parse(self.get(kind)?)
    }

    pub(crate) fn u8(&self, kind: u16) -> Option<u8> {
        match self.get(kind)? {
            [byte] => Some(*byte),
            _ => None,
        }
    }

    /// In network byte order.
    pub(crate) fn be16(&self, kind: u16) -> Option<u16> {
        self.get(kind)?.try_into().ok().map(u16::from_be_bytes)
    }

    /// In host byte order.
    pub(crate) fn ne16(&self, kind: u16) -> Option<u16> {
        self.get(kind)?.try_into().ok().map(u16::from_ne_bytes)
    }

    /// In host byte order.
    pub(crate) fn ne32(&self, kind: u16) -> Option<u32> {
        self.get(kind)?.try_into().ok().map(u32::from_ne_bytes)
    }

    pub(crate) fn be32(&self, kind: u16) -> Option<u32> {
        self.get(kind)?.try_into().ok().map(u32::from_be_bytes)
    }

    pub(crate) fn be64(&self, kind: u16) -> Option<u64> {
        self.get(kind)?.try_into().ok().map(u64::from_be_bytes)
    }

    /// Text up to its zero byte. Names made by other programs need not be UTF-8: what is
    /// not is replaced, so that one of them cannot spoil a whole listing.
    pub(crate) fn text(&self, kind: u16) -> Option<Cow<'a, str>> {
        self.get(kind).map(|bytes| String::from_utf8_lossy(until_zero(bytes)))
    }

    /// Reads an attribute that may be absent: the outer `None` says that it is there and
    /// cannot be read.
    pub(crate) fn optional<T>(
        &self,
        kind: u16,
        read: impl FnOnce(&Self) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.get(kind) {
            None => Some(None),
            Some(_) => read(self).map(Some),
        }
    }
}

/// The text of the first attribute of a kind, whatever the bytes behind it.
pub(crate) fn find_text(bytes: &[u8], kind: u16) -> Option<Cow<'_, str>> {
    let found = Attributes::new(bytes).map_while(|entry| entry).find(|entry| entry.kind == kind)?;
    Some(String::from_utf8_lossy(until_zero(found.payload)))
}

/// The bytes before the first zero byte.
pub(crate) fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn attributes_are_found_with_their_offsets_and_without_their_flag_bits() {
        let bytes = [5, 0, 1, 0x80, 7, 0, 0, 0, 4, 0, 2, 0x40];
        let found: Vec<_> = Attributes::new(&bytes).map(Option::unwrap).collect();
        assert_eq!(
            found,
            [
                Attribute { kind: 1, start: 0, payload: &[7] },
                Attribute { kind: 2, start: 8, payload: &[] },
            ]
        );
    }

    #[test]
    fn lengths_that_lie_end_the_walk() {
        for bytes in [
            &[0, 0, 1, 0][..],
            &[3, 0, 1, 0],
            &[5, 0, 1, 0],
            &[0xff, 0xff, 1, 0, 1, 2, 3, 4],
            &[4, 0, 1],
            &[4],
        ] {
            assert_eq!(Attributes::new(bytes).collect::<Vec<_>>(), [None], "{bytes:?}");
            assert!(AttributeSet::<4>::parse(bytes).is_none(), "{bytes:?}");
        }
        assert_eq!(Attributes::new(&[]).count(), 0);
    }

    #[test]
    fn the_last_attribute_may_lack_its_padding() {
        let set = AttributeSet::<4>::parse(&[5, 0, 1, 0, 7]).unwrap();
        assert_eq!(set.u8(1), Some(7));
    }

    #[test]
    fn numbers_of_the_wrong_size_are_not_read() {
        let set = AttributeSet::<4>::parse(&[6, 0, 1, 0, 1, 2, 0, 0, 4, 0, 2, 0]).unwrap();
        assert_eq!((set.u8(1), set.be32(1), set.be64(1)), (None, None, None));
        assert_eq!(set.u8(2), None);
        assert_eq!(set.optional(1, |set| set.u8(1)), None);
        assert_eq!(set.optional(3, |set| set.u8(3)), Some(None));
    }

    #[test]
    fn text_ends_at_its_zero_byte_and_survives_other_encodings() {
        let set = AttributeSet::<4>::parse(&[8, 0, 1, 0, b'a', 0, b'b', 0]).unwrap();
        assert_eq!(set.text(1).unwrap(), "a");
        let set = AttributeSet::<4>::parse(&[6, 0, 1, 0, 0xff, b'b', 0, 0]).unwrap();
        assert_eq!(set.text(1).unwrap(), "\u{fffd}b");
    }

    proptest! {
        #[test]
        fn any_bytes_are_walked_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Attributes::new(&bytes).count() <= bytes.len() / HEADER + 1);
            let _ = AttributeSet::<8>::parse(&bytes);
        }
    }
}
