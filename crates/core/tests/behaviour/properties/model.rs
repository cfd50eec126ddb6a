//! A cluster as plain maps, and what must be true of the plans for it, worked out the slow
//! way.

use std::collections::BTreeMap;
use std::net::IpAddr;

use portolan_core::{
    Action, EndpointSlice, Family, Index, Masquerade, NodeInfo, ObjectName, PortPlan, Protocol,
    Service, ServicePlan, Traffic, Update, WhenEndpointGone,
};
use proptest::prelude::*;

use super::generate::Step;
use crate::support::NODE;

/// The objects that exist.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster {
    services: BTreeMap<ObjectName, Service>,
    slices: BTreeMap<ObjectName, EndpointSlice>,
    node: Option<NodeInfo>,
}

impl Cluster {
    pub(crate) fn after(steps: Vec<Step>) -> Cluster {
        let mut cluster = Cluster::default();
        for step in steps {
            if let Step::Update(update) = step {
                cluster.apply(update);
            }
        }
        cluster
    }

    pub(crate) fn apply(&mut self, update: Update) {
        match update {
            Update::ServiceApplied(service) => drop(self.add_service(service)),
            Update::ServiceDeleted(name) => drop(self.services.remove(&name)),
            Update::ServicesReset(services) => {
                self.services.clear();
                services.into_iter().for_each(|service| drop(self.add_service(service)));
            }
            Update::EndpointSliceApplied(slice) => drop(self.add_slice(slice)),
            Update::EndpointSliceDeleted(name) => drop(self.slices.remove(&name)),
            Update::EndpointSlicesReset(slices) => {
                self.slices.clear();
                slices.into_iter().for_each(|slice| drop(self.add_slice(slice)));
            }
            Update::NodeApplied(node) => self.node = Some(node),
            Update::NodeDeleted | Update::ServiceCidrsReset(_) => {}
        }
    }

    fn add_service(&mut self, service: Service) -> Option<Service> {
        self.services.insert(service.name.clone(), service)
    }

    fn add_slice(&mut self, slice: EndpointSlice) -> Option<EndpointSlice> {
        self.slices.insert(slice.name.clone(), slice)
    }

    /// Everything at once.
    pub(crate) fn lists(&self) -> Vec<Update> {
        let mut updates = vec![
            Update::ServicesReset(self.services.values().cloned().collect()),
            Update::EndpointSlicesReset(self.slices.values().cloned().collect()),
        ];
        updates.extend(self.node.clone().map(Update::NodeApplied));
        updates
    }

    /// Everything one by one.
    pub(crate) fn objects(&self) -> Vec<Update> {
        let services = self.services.values().cloned().map(Update::ServiceApplied);
        let slices = self.slices.values().cloned().map(Update::EndpointSliceApplied);
        services.chain(slices).chain(self.node.clone().map(Update::NodeApplied)).collect()
    }
}

/// An address, or the NodePorts of a family, with protocol and port.
pub(crate) type Key = (Family, Option<IpAddr>, Protocol, u16);

pub(crate) fn frontends(plan: &ServicePlan) -> Vec<Key> {
    let of_port = |port: &PortPlan| {
        let (family, protocol) = (port.family, port.protocol);
        let key = |f: &portolan_core::Frontend| (family, f.destination.address(), protocol, f.port);
        port.frontends.iter().map(key).collect::<Vec<_>>()
    };
    plan.ports.iter().flat_map(of_port).collect()
}

/// Who must have which frontend: every service is planned as if it were alone, and then
/// the oldest takes first, all ClusterIPs before everything else.
pub(crate) fn owners(cluster: &Cluster) -> BTreeMap<Key, ObjectName> {
    let mut services: Vec<&Service> = cluster.services.values().collect();
    services.sort_by_key(|service| (service.created.unwrap_or(i64::MAX), service.name.clone()));
    let mut owners = BTreeMap::new();
    for takes_cluster_ips in [true, false] {
        for service in &services {
            let mut alone = Index::new(NODE);
            alone.apply(Update::ServiceApplied((*service).clone()));
            alone.take_changes();
            let all = alone.plans().flat_map(|plan| frontends(plan));
            let is_cluster_ip =
                |key: &Key| key.1.is_some_and(|ip| service.cluster_ips.contains(&ip));
            for key in all.filter(|key| is_cluster_ip(key) == takes_cluster_ips) {
                owners.entry(key).or_insert_with(|| service.name.clone());
            }
        }
    }
    owners
}

/// What the documentation of [`PortPlan`] promises.
pub(crate) fn check(port: &PortPlan) -> Result<(), TestCaseError> {
    prop_assert!(port.cluster.is_sorted_by(|a, b| a < b));
    prop_assert!(port.local.is_sorted_by(|a, b| a < b));
    prop_assert!(port.hairpin.is_sorted_by(|a, b| a < b));
    prop_assert!(port.serving.is_sorted_by(|a, b| a < b));
    let pools = || port.cluster.iter().chain(&port.local);
    match (port.protocol, port.when_endpoint_gone) {
        (Protocol::Udp, _) | (Protocol::Tcp, WhenEndpointGone::Drop | WhenEndpointGone::Reset) => {
            prop_assert!(pools().all(|endpoint| port.serving.contains(endpoint)));
        }
        (Protocol::Tcp | Protocol::Sctp, _) => prop_assert_eq!(&port.serving, &[]),
    }
    if port.protocol != Protocol::Tcp {
        prop_assert_eq!(port.when_endpoint_gone, WhenEndpointGone::Keep);
    }
    prop_assert!(port.frontends.is_sorted_by(|a, b| a.destination < b.destination));
    prop_assert!(!port.frontends.is_empty());
    let reachable = || port.cluster.iter().chain(&port.local).map(|endpoint| endpoint.ip);
    prop_assert!(reachable().all(|ip| Family::of(ip) == port.family));
    prop_assert!(port.hairpin.iter().all(|ip| reachable().any(|other| other == *ip)));
    for frontend in &port.frontends {
        let actions = match frontend.traffic {
            Traffic::Everyone(action) => vec![action],
            Traffic::ByOrigin { inside, outside } => {
                prop_assert_eq!(frontend.masquerade, Masquerade::ThisNode);
                vec![inside, outside]
            }
        };
        for action in actions {
            if let Action::Balance(pool) = action {
                prop_assert!(!port.pool(pool).is_empty());
            }
        }
    }
    Ok(())
}
