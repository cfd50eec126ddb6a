//! Looking things up for whoever asks. It costs as much as what is found, and as the Services
//! that have changed since they were planned.

use std::net::IpAddr;
use std::sync::Arc;

use super::Index;
use crate::claim::{Claim, FrontendKey};
use crate::model::{EndpointSlice, ObjectName, Service};
use crate::plan::{Destination, Frontend, PortPlan, ServicePlan};
use crate::problem::{ObjectKind, Problem};

/// A frontend as it was planned last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Planned<'a> {
    pub(crate) service: &'a ServicePlan,
    pub(crate) port: &'a PortPlan,
    pub(crate) frontend: &'a Frontend,
}

impl Index {
    /// Whose frontend this is, going by the plans.
    pub(crate) fn planned(&self, key: &FrontendKey) -> Option<Planned<'_>> {
        // A claim that was given up since the plans were taken is still in one of them.
        let mut names = self.registry.claimants(key).chain(&self.released);
        names.find_map(|name| self.planned_for(name, key))
    }

    /// A frontend of a Service, going by its plan.
    pub(crate) fn planned_for(&self, name: &ObjectName, key: &FrontendKey) -> Option<Planned<'_>> {
        let service = self.plan(name)?;
        service.ports.iter().find_map(|port| {
            let frontend = port.frontends.iter().find(|it| key.is_of(port, it))?;
            Some(Planned { service, port, frontend })
        })
    }

    /// One problem for every claim to a frontend that is lost.
    pub(crate) fn lost_claims(&self, key: &FrontendKey) -> Vec<Problem> {
        self.registry.lost_claims(key)
    }

    /// Whether a Service that claims a frontend has it.
    pub(crate) fn owns(&self, name: &ObjectName, claim: &Claim) -> bool {
        self.registry.owns(name, claim)
    }

    /// Services whose ClusterIP this is in their plans, by name.
    pub(crate) fn with_cluster_ip(&self, address: IpAddr) -> Vec<ObjectName> {
        let is_there = |plan: &&Arc<ServicePlan>| {
            let mut frontends = plan.ports.iter().flat_map(|port| &port.frontends);
            frontends.any(|it| it.destination == Destination::ClusterIp(address))
        };
        let mut names = self.registry.naming(address);
        names.extend(&self.released);
        let plans = names.into_iter().filter_map(|name| self.plan(name));
        plans.filter(is_there).map(|plan| plan.name.clone()).collect()
    }

    /// Services that name an address, planned or not, by name.
    pub(crate) fn naming(&self, address: IpAddr) -> impl Iterator<Item = &Service> {
        self.registry.naming(address).into_iter().filter_map(|name| self.service(name))
    }

    /// A Service, if there is one of this name.
    pub(crate) fn service(&self, name: &ObjectName) -> Option<&Service> {
        self.entries.get(name)?.service.as_deref()
    }

    /// The EndpointSlices of a Service, by name.
    pub(crate) fn slices(&self, service: &ObjectName) -> &[Arc<EndpointSlice>] {
        self.entries.get(service).map_or(&[], |entry| &entry.slices)
    }

    /// Whether a Service has changed since its plan was taken.
    pub(crate) fn is_pending(&self, service: &ObjectName) -> bool {
        self.dirty.contains(service)
    }

    /// What is wrong with a Service as it is written, whatever others claim.
    pub(crate) fn problems_of(&self, service: &ObjectName) -> &[Problem] {
        self.problems.of(ObjectKind::Service, service)
    }

    /// The name of this node.
    pub(crate) fn node_name(&self) -> &str {
        &self.node_name
    }
}
