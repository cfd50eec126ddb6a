//! What happened lately, for watches that resume.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::object::{Key, Stored};
use crate::selector::Selection;

/// The latest changes of one resource, oldest first.
#[derive(Debug, Default)]
pub(super) struct Log {
    changes: VecDeque<Arc<Change>>,
    /// How many changes were forgotten, which is the position of the first that is not.
    forgotten: u64,
    /// The oldest version that one can resume from; 0 while nothing is forgotten.
    floor: u64,
}

/// One object that was created, replaced or deleted.
#[derive(Debug)]
pub(crate) struct Change {
    /// The resource version of the change.
    pub(crate) version: u64,
    pub(super) old: Option<Arc<Stored>>,
    new: Option<Arc<Stored>>,
    /// The old object with the version of the change, for clients that see it no more.
    gone: Option<Bytes>,
}

/// What a change is to a client, with the object that it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Happening<'a> {
    Added(&'a Bytes),
    Modified(&'a Bytes),
    Deleted(&'a Bytes),
}

impl Change {
    pub(super) fn new(version: u64, old: Option<Arc<Stored>>, new: Option<Arc<Stored>>) -> Change {
        let stays_selected = match (&old, &new) {
            (Some(old), Some(new)) => old.selectable == new.selectable,
            _ => false,
        };
        let gone = old.as_ref().filter(|_| !stays_selected).map(|old| old.as_of(version));
        Change { version, old, new, gone }
    }

    /// The object's; `None` never happens, since a change is of an object.
    pub(super) fn key(&self) -> Option<&Key> {
        self.new.as_ref().or(self.old.as_ref()).map(|object| &object.key)
    }

    /// What it is to a client that sees this selection; `None` if nothing.
    pub(crate) fn to(&self, selection: &Selection) -> Option<Happening<'_>> {
        let selected = |object: &Option<Arc<Stored>>| {
            object.as_ref().is_some_and(|object| selection.selects(object))
        };
        match (selected(&self.old), selected(&self.new)) {
            (false, true) => self.new.as_ref().map(|new| Happening::Added(new.bytes())),
            (true, true) => self.new.as_ref().map(|new| Happening::Modified(new.bytes())),
            (true, false) => self.gone.as_ref().map(Happening::Deleted),
            (false, false) => None,
        }
    }
}

impl Log {
    pub(super) fn append(&mut self, change: Change, window: usize) {
        self.changes.push_back(Arc::new(change));
        self.shrink(window);
    }

    pub(super) fn shrink(&mut self, window: usize) {
        while self.changes.len() > window {
            let Some(change) = self.changes.pop_front() else { return };
            self.forgotten += 1;
            self.floor = change.version;
        }
    }

    /// Forgets everything up to `version`, which is the newest of the store.
    pub(super) fn forget(&mut self, version: u64) {
        self.shrink(0);
        self.floor = version;
    }

    /// The position of the first change after `version`.
    pub(super) fn position(&self, version: u64) -> Result<u64, super::Unavailable> {
        if version < self.floor {
            return Err(super::Unavailable::TooOld(self.floor));
        }
        let before = self.changes.partition_point(|change| change.version <= version);
        Ok(self.forgotten + before as u64)
    }

    /// The changes at and after `position` that are not newer than `until`; `None` if some
    /// of them are forgotten.
    pub(super) fn from(&self, position: u64, until: u64, limit: usize) -> Option<Vec<Arc<Change>>> {
        let skipped = position.checked_sub(self.forgotten)?;
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let changes = self.changes.range(skipped.min(self.changes.len())..);
        Some(changes.take_while(|change| change.version <= until).take(limit).cloned().collect())
    }

    /// The changes after `version`, newest first.
    pub(super) fn newest_first_after(
        &self,
        version: u64,
    ) -> Result<impl Iterator<Item = &Arc<Change>>, super::Unavailable> {
        if version < self.floor {
            return Err(super::Unavailable::TooOld(self.floor));
        }
        Ok(self.changes.iter().rev().take_while(move |change| change.version > version))
    }
}
