//! Problems of single objects, kept as long as the object is as it is.

use std::collections::BTreeMap;

use crate::model::ObjectName;
use crate::problem::{ObjectKind, Problem};

/// Problems by object, counted.
#[derive(Debug, Default)]
pub(super) struct Problems {
    by_object: BTreeMap<(ObjectKind, ObjectName), Vec<Problem>>,
    count: usize,
}

impl Problems {
    /// Replaces what is wrong with an object; an empty list says that nothing is.
    pub(super) fn replace(
        &mut self,
        kind: ObjectKind,
        object: &ObjectName,
        problems: Vec<Problem>,
    ) {
        if problems.is_empty() && self.by_object.is_empty() {
            return;
        }
        self.count += problems.len();
        let key = (kind, object.clone());
        let old = if problems.is_empty() {
            self.by_object.remove(&key)
        } else {
            self.by_object.insert(key, problems)
        };
        self.count -= old.map_or(0, |old| old.len());
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Those of an object.
    pub(super) fn of(&self, kind: ObjectKind, object: &ObjectName) -> &[Problem] {
        self.by_object.get(&(kind, object.clone())).map_or(&[], Vec::as_slice)
    }

    /// All of them, by object.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.by_object.values().flatten()
    }
}
