//! All objects of all files: who is served, and what changes when a file does.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::sync::Arc;

use ipnet::IpNet;
use portolan_core::{ObjectKind, ObjectName, Update};

use super::contents::Contents;
use super::file::{FileContents, Key, duplicate};
use crate::convert::Object;
use crate::event::Notice;

/// The files by name and, for each object, the files that it stands in. Of an object that
/// stands in several, the one in the first file by name is served.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    files: BTreeMap<Arc<OsStr>, FileContents>,
    owners: BTreeMap<Key, BTreeSet<Arc<OsStr>>>,
    /// What was served before the changes that have not been taken yet.
    before: BTreeMap<Key, Option<Arc<Object>>>,
    /// Files whose notices may have changed.
    dirty: BTreeSet<Arc<OsStr>>,
}

impl Catalogue {
    /// What a file said.
    pub(super) fn file(&self, name: &OsStr) -> Option<&FileContents> {
        self.files.get(name)
    }

    /// Takes over what a file says now; `None` if it is gone.
    pub(super) fn replace(&mut self, name: &Arc<OsStr>, contents: Option<FileContents>) {
        let keys = |contents: Option<&FileContents>| {
            contents.into_iter().flat_map(|contents| contents.objects.keys().cloned()).collect()
        };
        let old: BTreeSet<Key> = keys(self.files.get(name));
        let new: BTreeSet<Key> = keys(contents.as_ref());
        for key in old.union(&new) {
            if !self.before.contains_key(key) {
                self.before.insert(key.clone(), self.served(key).cloned());
            }
        }
        for key in old.difference(&new) {
            self.disown(key, name);
        }
        for key in new {
            let owners = self.owners.entry(key).or_default();
            owners.insert(Arc::clone(name));
            self.dirty.extend(owners.iter().cloned());
        }
        self.dirty.insert(Arc::clone(name));
        match contents {
            Some(contents) => self.files.insert(Arc::clone(name), contents),
            None => self.files.remove(name),
        };
    }

    fn disown(&mut self, key: &Key, name: &OsStr) {
        if let Some(owners) = self.owners.get_mut(key) {
            owners.remove(name);
            self.dirty.extend(owners.iter().cloned());
            if owners.is_empty() {
                self.owners.remove(key);
            }
        }
    }

    /// What stands in all files.
    pub(super) fn contents(&self) -> Contents {
        let ignored = self.files.values().map(|file| file.ignored).sum();
        let mut contents = Contents { ignored, ..Contents::default() };
        self.owners.keys().for_each(|(kind, _)| contents.add(*kind));
        contents
    }

    /// What is served for a key.
    fn served(&self, key: &Key) -> Option<&Arc<Object>> {
        let owner = self.owners.get(key)?.first()?;
        self.files.get(owner)?.objects.get(key)?.object.as_ref()
    }

    /// What really changed since the last call.
    pub(super) fn take_updates(&mut self) -> Vec<Update> {
        let mut updates = Vec::new();
        let mut service_cidrs_changed = false;
        for (key, before) in std::mem::take(&mut self.before) {
            let after = self.served(&key);
            if before.as_ref() == after {
                continue;
            }
            match after.map(Arc::as_ref) {
                Some(Object::Service(service)) => {
                    updates.push(Update::ServiceApplied(service.clone()));
                }
                Some(Object::EndpointSlice(slice)) => {
                    updates.push(Update::EndpointSliceApplied(slice.clone()));
                }
                Some(Object::Node(node)) => updates.push(Update::NodeApplied(node.clone())),
                Some(Object::ServiceCidr(_)) => service_cidrs_changed = true,
                None => match key {
                    (ObjectKind::Service, name) => updates.push(Update::ServiceDeleted(name)),
                    (ObjectKind::EndpointSlice, name) => {
                        updates.push(Update::EndpointSliceDeleted(name));
                    }
                    (ObjectKind::Node, _) => updates.push(Update::NodeDeleted),
                    (ObjectKind::ServiceCIDR, _) => service_cidrs_changed = true,
                },
            }
        }
        if service_cidrs_changed {
            updates.push(Update::ServiceCidrsReset(self.service_cidrs()));
        }
        updates
    }

    /// Everything that is served, instead of what changed.
    pub(super) fn take_everything(&mut self) -> Vec<Update> {
        self.before.clear();
        let (mut services, mut slices, mut nodes) = (Vec::new(), Vec::new(), Vec::new());
        for object in self.owners.keys().filter_map(|key| self.served(key)) {
            match object.as_ref() {
                Object::Service(service) => services.push(service.clone()),
                Object::EndpointSlice(slice) => slices.push(slice.clone()),
                Object::Node(node) => nodes.push(Update::NodeApplied(node.clone())),
                Object::ServiceCidr(_) => {}
            }
        }
        let mut updates =
            vec![Update::ServicesReset(services), Update::EndpointSlicesReset(slices)];
        updates.append(&mut nodes);
        updates.push(Update::ServiceCidrsReset(self.service_cidrs()));
        updates
    }

    fn service_cidrs(&self) -> Vec<IpNet> {
        let first = (ObjectKind::ServiceCIDR, ObjectName::new("", ""));
        let mut networks = BTreeSet::new();
        for key in self.owners.range(first..).map(|(key, _)| key) {
            if let Some(Object::ServiceCidr(cidrs)) = self.served(key).map(Arc::as_ref) {
                networks.extend(cidrs.iter().copied());
            }
        }
        networks.into_iter().collect()
    }

    /// What is wrong with each file about which that may have changed since the last call.
    pub(super) fn take_notices(&mut self) -> Vec<(Arc<OsStr>, Vec<Notice>)> {
        let dirty = std::mem::take(&mut self.dirty);
        dirty.into_iter().map(|name| (Arc::clone(&name), self.notices(&name))).collect()
    }

    fn notices(&self, name: &OsStr) -> Vec<Notice> {
        let Some(contents) = self.files.get(name) else { return Vec::new() };
        let mut notices = contents.notices.clone();
        for (key, object) in &contents.objects {
            let owner = self.owners.get(key).and_then(BTreeSet::first);
            if let Some(owner) = owner.filter(|owner| ***owner != *name)
                && let Some(used) = self.files.get(owner).and_then(|file| file.objects.get(key))
            {
                let (kind, object_name) = key.clone();
                notices.push(duplicate(kind, object_name, &object.place, &used.place));
            }
        }
        notices
    }
}
