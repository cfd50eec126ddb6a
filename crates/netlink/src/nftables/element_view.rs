//! Elements as the kernel lists them.

use super::uapi::{ELEMENT_INTERVAL_END, element};
use super::userdata;
use super::{Data, uapi};
use crate::wire::attribute::{AttributeSet, Attributes};

/// An element of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElementView<'a> {
    /// The key, each field padded to 4 bytes if there are several. Empty for the element
    /// that matches what no other does.
    pub key: &'a [u8],
    /// The highest key, in a concatenation of ranges.
    pub key_end: Option<&'a [u8]>,
    /// The key is the first one behind a range (`NFT_SET_ELEM_INTERVAL_END`).
    pub interval_end: bool,
    /// What it maps to; `None` in a set.
    pub data: Option<Data<'a>>,
    /// Its comment.
    pub comment: Option<&'a str>,
    /// It has statements of its own (`counter`, `limit`), which run whenever it is found and
    /// can make it as if it were not there. None of those that are written here has any.
    pub has_statements: bool,
}

impl<'a> ElementView<'a> {
    /// The elements in one message of a listing; each `None` that cannot be read.
    pub(super) fn all(attributes: &'a [u8]) -> impl Iterator<Item = Option<ElementView<'a>>> {
        let set = AttributeSet::<5>::parse(attributes);
        let unreadable = set.is_none().then_some(None);
        let elements = set.and_then(|set| set.get(uapi::element_list::ELEMENTS));
        Attributes::new(elements.unwrap_or_default())
            .map(|entry| ElementView::decode(entry?.payload))
            .chain(unreadable)
    }

    fn decode(attributes: &'a [u8]) -> Option<ElementView<'a>> {
        let set = AttributeSet::<12>::parse(attributes)?;
        let flags = set.optional(element::FLAGS, |set| set.be32(element::FLAGS))?.unwrap_or(0);
        Some(ElementView {
            key: set.optional(element::KEY, |set| value(set, element::KEY))?.unwrap_or_default(),
            key_end: set.optional(element::KEY_END, |set| value(set, element::KEY_END))?,
            interval_end: flags & ELEMENT_INTERVAL_END != 0,
            data: set.optional(element::DATA, |set| Data::decode(set.get(element::DATA)?))?,
            comment: userdata::str(set.get(element::USERDATA), userdata::COMMENT),
            has_statements: [element::EXPR, element::EXPRESSIONS]
                .iter()
                .any(|kind| set.get(*kind).is_some()),
        })
    }
}

fn value<'a>(set: &AttributeSet<'a, 12>, kind: u16) -> Option<&'a [u8]> {
    match Data::decode(set.get(kind)?)? {
        Data::Bytes(bytes) => Some(bytes),
        Data::Verdict(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(ElementView::all(&bytes).count() <= bytes.len() / 4 + 2);
            let _ = ElementView::decode(&bytes);
        }
    }
}
