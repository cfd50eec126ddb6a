//! The objects of a resource as they were at one version.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use super::{State, Store, Table, Unavailable};
use crate::object::{Key, Stored};
use crate::resource::Resource;
use crate::selector::Selection;

/// Which version a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The newest there is, which is at least this one; 0 for any.
    NotOlderThan(u64),
    /// This one.
    Exactly(u64),
}

/// Which part of a list a client wants.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    /// Only objects after this one.
    pub(crate) after: Option<Key>,
    /// Not more objects than that.
    pub(crate) limit: Option<usize>,
}

/// The objects that a client sees at one version.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) version: u64,
    pub(crate) objects: Vec<Arc<Stored>>,
    /// How many objects of the namespace come after these, selected or not; 0 if none of
    /// them is selected.
    pub(crate) remaining: usize,
    /// Where in the log a watch goes on.
    pub(crate) position: u64,
}

impl Store {
    /// The objects of a resource. Nothing newer than `newest` is told, as if it had not
    /// happened yet.
    pub(crate) fn snapshot(
        &self,
        resource: Resource,
        selection: &Selection,
        wanted: Wanted,
        newest: u64,
        page: &Page,
    ) -> Result<Snapshot, Unavailable> {
        let state = self.lock();
        let version = version(&state, wanted, newest)?;
        let table = state.tables.of(resource);
        let mut candidates = table.as_of(version, page.after.as_ref())?;
        let mut objects: Vec<Arc<Stored>> = Vec::new();
        let limit = page.limit.unwrap_or(usize::MAX);
        let mut next = None;
        for object in candidates.by_ref().filter(|object| selection.selects(object)) {
            if objects.len() == limit {
                next = Some(object);
                break;
            }
            objects.push(Arc::clone(object));
        }
        let remaining = match next {
            Some(_) => 1 + candidates.filter(|object| selection.is_within(object)).count(),
            None => 0,
        };
        Ok(Snapshot { version, objects, remaining, position: table.log.position(version)? })
    }
}

fn version(state: &State, wanted: Wanted, newest: u64) -> Result<u64, Unavailable> {
    let newest = newest.min(state.version);
    let (version, least) = match wanted {
        Wanted::NotOlderThan(least) => (newest, least),
        Wanted::Exactly(version) => (version, version),
    };
    if least > newest { Err(Unavailable::TooNew(newest)) } else { Ok(version) }
}

impl Table {
    /// The objects at this version that come after a key, in order.
    fn as_of<'a>(
        &'a self,
        version: u64,
        after: Option<&Key>,
    ) -> Result<Box<dyn Iterator<Item = &'a Arc<Stored>> + 'a>, Unavailable> {
        let begin = after.map_or(Bound::Unbounded, |key| Bound::Excluded(key.clone()));
        let range = (begin, Bound::Unbounded);
        let mut then: BTreeMap<&Key, Option<&Arc<Stored>>> = BTreeMap::new();
        for change in self.log.newest_first_after(version)? {
            // The oldest of several changes has the last word.
            if let Some(key) = change.key() {
                then.insert(key, change.old.as_ref());
            }
        }
        let now = self.objects.range(range.clone());
        if then.is_empty() {
            return Ok(Box::new(now.map(|(_, object)| object)));
        }
        let unchanged = now.filter(|(key, _)| !then.contains_key(key)).map(|(_, object)| object);
        let changed = then.range::<Key, _>((range.0.as_ref(), range.1.as_ref()));
        let mut objects: Vec<_> =
            unchanged.chain(changed.filter_map(|(_, object)| *object)).collect();
        objects.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(Box::new(objects.into_iter()))
    }
}
