//! The objects as they are now.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::log::{Change, Log};
use crate::object::{Draft, Key, Stored};
use crate::resource::{PerResource, Resource};

#[derive(Debug)]
pub(super) struct State {
    pub(super) version: u64,
    pub(super) window: usize,
    pub(super) tables: PerResource<Table>,
}

/// The objects of one resource.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) objects: BTreeMap<Key, Arc<Stored>>,
    pub(super) log: Log,
}

impl State {
    pub(super) fn put(&mut self, draft: Draft) -> u64 {
        let resource = draft.resource;
        let same = self.tables.of(resource).objects.get(draft.key()).filter(|it| draft.is(it));
        if let Some(same) = same {
            return same.resource_version;
        }
        self.version += 1;
        let stored = Arc::new(draft.seal(self.version));
        let table = self.tables.of_mut(resource);
        let old = table.objects.insert(stored.key.clone(), Arc::clone(&stored));
        table.log.append(Change::new(self.version, old, Some(stored)), self.window);
        self.version
    }

    pub(super) fn delete(&mut self, resource: Resource, key: &Key) -> Option<u64> {
        let table = self.tables.of_mut(resource);
        let old = table.objects.remove(key)?;
        self.version += 1;
        table.log.append(Change::new(self.version, Some(old), None), self.window);
        Some(self.version)
    }

    pub(super) fn keys_in(&self, resource: Resource, namespace: &str) -> Vec<Key> {
        let from = Key::new(namespace, "");
        let keys = self.tables.of(resource).objects.range(from..).map(|(key, _)| key);
        keys.take_while(|key| *key.namespace == *namespace).cloned().collect()
    }
}
