//! Elements of sets and maps, to the kernel and from it.

use super::{Batch, Data};

/// What happens to the elements of an [`ElementWriter`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementOperation {
    /// They are added. One that exists with the same data is left alone.
    Add,
    /// They are deleted. It is an error if one does not exist.
    Delete,
}

/// Writes elements of one set into a batch, starting further messages as they fill up.
#[derive(Debug)]
pub struct ElementWriter<'batch, 'name> {
    pub(super) batch: &'batch mut Batch,
    pub(super) set: &'name str,
}

impl ElementWriter<'_, '_> {
    /// Writes an element. A deletion needs the key alone and ignores the rest.
    pub fn push(&mut self, key: &[u8], data: Option<Data<'_>>, comment: Option<&str>) {
        let _ = (key, data, comment, self.set, &self.batch);
    }

    /// Writes an element that is a range, both ends included, of an interval set.
    pub fn push_range(
        &mut self,
        first: &[u8],
        last: &[u8],
        data: Option<Data<'_>>,
        comment: Option<&str>,
    ) {
        let _ = (first, last, data, comment);
    }
}

/// An element as the kernel lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElementView<'a> {
    /// The key, each field padded to 4 bytes if there are several.
    pub key: &'a [u8],
    /// The highest key of a range in a concatenation of ranges.
    pub key_end: Option<&'a [u8]>,
    /// The key is the first one behind a range (`NFT_SET_ELEM_INTERVAL_END`).
    pub interval_end: bool,
    /// What it maps to; `None` in a set.
    pub data: Option<Data<'a>>,
    /// Its comment.
    pub comment: Option<&'a str>,
}
