//! The index: what the cluster said, and the plans that follow from it.

mod claims;
mod lookup;
mod problems;
mod services;
mod slices;
mod triggers;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use ipnet::IpNet;

use self::claims::Registry;
pub(crate) use self::lookup::Planned;
use self::problems::Problems;
use self::triggers::Triggers;
use crate::compile::{Viewpoint, compile};
use crate::model::{EndpointSlice, Family, NodeInfo, ObjectName, Service};
use crate::plan::{Change, ServicePlan};
use crate::problem::Problem;
use crate::update::Update;

/// Everything known about the cluster, as far as a service proxy needs it.
///
/// [`Index::apply`] takes what a source reports and marks the services that it touches;
/// [`Index::take_changes`] compiles those again. Objects may come in any order: a slice
/// before its Service waits for it. Equal inputs give equal plans, whatever the order.
#[derive(Debug)]
pub struct Index {
    node_name: Arc<str>,
    node: Option<NodeInfo>,
    service_cidrs: Vec<IpNet>,
    entries: BTreeMap<ObjectName, Entry>,
    /// The service of each slice, by the slice's name.
    slice_services: HashMap<ObjectName, ObjectName>,
    /// Services whose plan may be out of date.
    dirty: BTreeSet<ObjectName>,
    /// Services that have given up claims which may still be in their plan.
    released: BTreeSet<ObjectName>,
    registry: Registry,
    problems: Problems,
    triggers: Triggers,
    services: usize,
    endpoints: usize,
    services_listed: bool,
    slices_listed: bool,
}

/// What is known under one service name.
#[derive(Debug, Default)]
struct Entry {
    service: Option<Arc<Service>>,
    /// Sorted by name.
    slices: Vec<Arc<EndpointSlice>>,
    /// As of the last [`Index::take_changes`].
    plan: Option<Arc<ServicePlan>>,
}

/// How much an [`Index`] holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexCounts {
    /// Services, planned or not.
    pub services: usize,
    /// EndpointSlices, with or without a Service.
    pub endpoint_slices: usize,
    /// Endpoints of all slices, usable or not.
    pub endpoints: usize,
    /// What [`Index::problems`] would list.
    pub problems: usize,
    /// Those of them that say that a frontend belongs to another Service.
    pub conflicts: usize,
}

impl Index {
    /// An index that knows nothing yet, for the node of this name.
    pub fn new(node_name: impl Into<Arc<str>>) -> Index {
        Index {
            node_name: node_name.into(),
            node: None,
            service_cidrs: Vec::new(),
            entries: BTreeMap::new(),
            slice_services: HashMap::new(),
            dirty: BTreeSet::new(),
            released: BTreeSet::new(),
            registry: Registry::default(),
            problems: Problems::default(),
            triggers: Triggers::default(),
            services: 0,
            endpoints: 0,
            services_listed: false,
            slices_listed: false,
        }
    }

    /// Takes in what a source reports. What is already known costs a comparison; a list
    /// of everything touches only what really differs.
    pub fn apply(&mut self, update: Update) {
        match update {
            Update::ServiceApplied(service) => self.apply_service(service),
            Update::ServiceDeleted(name) => self.delete_service(&name),
            Update::ServicesReset(services) => self.reset_services(services),
            Update::EndpointSliceApplied(slice) => self.apply_slice(slice),
            Update::EndpointSliceDeleted(name) => self.delete_slice(&name),
            Update::EndpointSlicesReset(slices) => self.reset_slices(slices),
            Update::NodeApplied(node) => self.apply_node(node),
            // The node's last state stays in use: the agent still runs on it.
            Update::NodeDeleted => {}
            Update::ServiceCidrsReset(mut networks) => {
                networks.sort();
                networks.dedup();
                self.service_cidrs = networks;
            }
        }
    }

    /// Compiles what [`Index::apply`] marked and returns the plans that are not what they
    /// were, by name of the Service.
    ///
    /// All of them together never leave a frontend with two owners. A single one may: the
    /// new owner can stand before the old one, so they must be applied as one.
    pub fn take_changes(&mut self) -> Vec<Change> {
        let dirty = std::mem::take(&mut self.dirty);
        self.released.clear();
        dirty.into_iter().filter_map(|name| self.recompile(name)).collect()
    }

    fn recompile(&mut self, name: ObjectName) -> Option<Change> {
        let viewpoint = Viewpoint {
            node_name: &self.node_name,
            zone: self.zone(),
            node_addresses: self.node.as_ref().map_or(&[], |node| &node.addresses),
        };
        let entry = self.entries.get(&name)?;
        let new = entry.service.as_ref().and_then(|service| {
            compile(service, &entry.slices, viewpoint, |claim| self.registry.owns(&name, claim))
        });
        let entry = self.entries.get_mut(&name)?;
        if entry.plan.as_deref() == new.as_ref() {
            self.forget_if_empty(&name);
            return None;
        }
        let new = new.map(Arc::new);
        let old = std::mem::replace(&mut entry.plan, new.clone());
        self.forget_if_empty(&name);
        Some(Change { service: name, old, new })
    }

    /// When what [`Index::apply`] learnt since the last call was triggered, for each
    /// EndpointSlice that says so and really changed: its family, and milliseconds since
    /// the Unix epoch. There is a limit: of more than many thousands, the last are missing.
    pub fn take_triggers(&mut self) -> Vec<(Family, i64)> {
        self.triggers.take()
    }

    /// The plans as of the last [`Index::take_changes`], by name of the Service.
    pub fn plans(&self) -> impl Iterator<Item = &Arc<ServicePlan>> {
        self.entries.values().filter_map(|entry| entry.plan.as_ref())
    }

    /// The plan of a Service as of the last [`Index::take_changes`].
    pub fn plan(&self, service: &ObjectName) -> Option<&Arc<ServicePlan>> {
        self.entries.get(service)?.plan.as_ref()
    }

    /// The networks of all ServiceCIDR objects, sorted, no duplicates.
    pub fn service_cidrs(&self) -> &[IpNet] {
        &self.service_cidrs
    }

    /// What this node's object said last, if it was ever seen.
    pub fn node(&self) -> Option<&NodeInfo> {
        self.node.as_ref()
    }

    /// Whether all Services and all EndpointSlices have been listed. Before that, plans
    /// may lack endpoints, and a missing plan does not mean that its Service is gone.
    pub fn is_complete(&self) -> bool {
        self.services_listed && self.slices_listed
    }

    /// What cannot be served as the objects are now, sorted. Walks only what is wrong.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            self.problems.iter().cloned().chain(self.registry.problems()).collect();
        problems.sort();
        problems
    }

    /// How much there is. Counts are kept, not taken.
    pub fn counts(&self) -> IndexCounts {
        IndexCounts {
            services: self.services,
            endpoint_slices: self.slice_services.len(),
            endpoints: self.endpoints,
            problems: self.problems.len() + self.registry.lost(),
            conflicts: self.registry.lost(),
        }
    }

    /// The zone of this node, if it is known.
    pub(crate) fn zone(&self) -> Option<&str> {
        self.node.as_ref()?.zone.as_deref()
    }

    /// A node's zone and addresses rarely change; then it is cheaper to look which services
    /// depend on them than to remember it all the time.
    fn apply_node(&mut self, node: NodeInfo) {
        let zone_changed = self.zone() != node.zone.as_deref();
        let known = self.node.as_ref().map_or(&[][..], |node| &node.addresses);
        let addresses_changed = known != node.addresses;
        self.node = Some(node);
        let is_touched = |entry: &Entry| {
            zone_changed && entry.has_zone_hints() || addresses_changed && entry.has_source_ranges()
        };
        if zone_changed || addresses_changed {
            let touched = self.entries.iter().filter(|(_, entry)| is_touched(entry));
            self.dirty.extend(touched.map(|(name, _)| name.clone()));
        }
    }

    fn forget_if_empty(&mut self, name: &ObjectName) {
        if self.entries.get(name).is_some_and(Entry::is_empty) {
            self.entries.remove(name);
        }
    }
}

impl Entry {
    fn is_empty(&self) -> bool {
        self.service.is_none() && self.slices.is_empty() && self.plan.is_none()
    }

    fn has_source_ranges(&self) -> bool {
        self.service.as_ref().is_some_and(|service| !service.source_ranges.is_empty())
    }

    fn has_zone_hints(&self) -> bool {
        let endpoints = self.slices.iter().flat_map(|slice| &slice.endpoints);
        endpoints.flat_map(|endpoint| &endpoint.hints).any(|hints| !hints.zones.is_empty())
    }
}

#[cfg(test)]
mod tests;
