//! EndpointSlices that come, change, move and go.

use std::collections::HashSet;
use std::sync::Arc;

use super::Index;
use crate::merge;
use crate::model::{EndpointSlice, ObjectName};
use crate::problem::ObjectKind;

impl Index {
    pub(super) fn apply_slice(&mut self, mut slice: EndpointSlice) {
        // Slices stay in memory; growing lists may have left twice the room they need.
        slice.endpoints.shrink_to_fit();
        slice.ports.shrink_to_fit();
        let old = self.slice_services.insert(slice.name.clone(), slice.service.clone());
        if let Some(old) = old.filter(|old| *old != slice.service) {
            self.remove_slice(&old, &slice.name);
        }
        let problems = merge::problems(&slice);
        // A time alone is no change.
        let triggered = slice.trigger_time.take();
        let slices = &mut self.entries.entry(slice.service.clone()).or_default().slices;
        let slice = Arc::new(slice);
        let added = slice.endpoints.len();
        match slices.binary_search_by(|known| known.name.cmp(&slice.name)) {
            Ok(position) => {
                let Some(known) = slices.get_mut(position).filter(|known| **known != slice) else {
                    return;
                };
                self.endpoints -= known.endpoints.len();
                *known = Arc::clone(&slice);
            }
            Err(position) => slices.insert(position, Arc::clone(&slice)),
        }
        self.endpoints += added;
        self.triggers.note(slice.family, triggered);
        self.problems.replace(ObjectKind::EndpointSlice, &slice.name, problems);
        self.dirty.insert(slice.service.clone());
    }

    pub(super) fn delete_slice(&mut self, name: &ObjectName) {
        if let Some(service) = self.slice_services.remove(name) {
            self.remove_slice(&service, name);
        }
    }

    /// Takes a slice from a service and marks the service.
    fn remove_slice(&mut self, service: &ObjectName, name: &ObjectName) {
        let Some(entry) = self.entries.get_mut(service) else { return };
        let Ok(position) = entry.slices.binary_search_by(|known| known.name.cmp(name)) else {
            return;
        };
        self.endpoints -= entry.slices.remove(position).endpoints.len();
        self.problems.replace(ObjectKind::EndpointSlice, name, Vec::new());
        self.dirty.insert(service.clone());
    }

    pub(super) fn reset_slices(&mut self, slices: Vec<EndpointSlice>) {
        let listed: HashSet<ObjectName> = slices.iter().map(|slice| slice.name.clone()).collect();
        let known = self.slice_services.keys();
        let gone: Vec<ObjectName> = known.filter(|name| !listed.contains(*name)).cloned().collect();
        for name in &gone {
            self.delete_slice(name);
        }
        for slice in slices {
            self.apply_slice(slice);
        }
        self.slices_listed = true;
    }
}
