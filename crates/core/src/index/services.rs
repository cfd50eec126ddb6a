//! Services that come, change and go.

use std::collections::HashSet;
use std::sync::Arc;

use super::Index;
use crate::claim::claims;
use crate::model::{ObjectName, Service};
use crate::problem::ObjectKind;

impl Index {
    pub(super) fn apply_service(&mut self, service: Service) {
        let entry = self.entries.entry(service.name.clone()).or_default();
        if entry.service.as_deref() == Some(&service) {
            return;
        }
        let service = Arc::new(service);
        let old = entry.service.replace(Arc::clone(&service));
        match old {
            Some(old) => self.release(&old),
            None => self.services += 1,
        }
        let asked = claims(&service);
        self.problems.replace(ObjectKind::Service, &service.name, asked.problems);
        let dirty = &mut self.dirty;
        self.registry.register(&service, &asked.claims, |name| {
            dirty.insert(name.clone());
        });
        dirty.insert(service.name.clone());
    }

    pub(super) fn delete_service(&mut self, name: &ObjectName) {
        let entry = self.entries.get_mut(name);
        if let Some(service) = entry.and_then(|entry| entry.service.take()) {
            self.services -= 1;
            self.release(&service);
            self.problems.replace(ObjectKind::Service, name, Vec::new());
            self.dirty.insert(name.clone());
        }
    }

    pub(super) fn reset_services(&mut self, services: Vec<Service>) {
        let listed: HashSet<ObjectName> =
            services.iter().map(|service| service.name.clone()).collect();
        let known = self.entries.iter().filter(|(_, entry)| entry.service.is_some());
        let gone: Vec<ObjectName> =
            known.map(|(name, _)| name).filter(|name| !listed.contains(*name)).cloned().collect();
        for name in &gone {
            self.delete_service(name);
        }
        for service in services {
            self.apply_service(service);
        }
        self.services_listed = true;
    }

    fn release(&mut self, service: &Arc<Service>) {
        self.released.insert(service.name.clone());
        let dirty = &mut self.dirty;
        self.registry.release(service, &claims(service).claims, |name| {
            dirty.insert(name.clone());
        });
    }
}
