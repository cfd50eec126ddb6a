//! Clusters of any size as the objects of the Kubernetes API, and the edits that happen to
//! them.
//!
//! Everything follows from numbers: the service with a number, the pod with a number. So a
//! cluster of 50,000 services takes no memory until its objects are written, two runs have
//! the same cluster, and only what was edited is remembered.

mod edits;
mod inventory;
mod managed;
mod metadata;
mod names;
mod network;
mod node;
mod service;
mod shares;
mod slice;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;

use serde_json::Value;

pub(crate) use self::edits::{Edit, Frontend, PodAddresses};
pub(crate) use self::inventory::Frontends;
#[cfg(test)]
pub(crate) use self::network::pod_v6;
pub(crate) use self::network::{
    MOST_LOAD_BALANCERS, MOST_PODS, MOST_SERVICES, POD_NETWORK_V4, POD_NETWORK_V6,
    SERVICE_NETWORK_V4,
};
pub(crate) use self::node::NODE_NAME;
pub use self::shares::Shares;
use self::shares::Traits;

/// The most endpoints that a slice has, the default of the EndpointSlice controller
/// (`--max-endpoints-per-slice`).
pub(crate) const SLICE_ENDPOINTS: usize = 100;

/// The size of a cluster and what its services are like.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    /// Services, those for the traffic left out.
    pub(crate) services: u32,
    /// Endpoints of each service, or in the mean.
    pub(crate) endpoints: u32,
    /// Whether services differ in how many endpoints they have.
    pub(crate) vary_endpoints: bool,
    /// What part of the services has which features.
    pub(crate) shares: Shares,
    /// Zones that nodes are spread over.
    pub(crate) zones: u32,
    /// Pods of the one large deployment that is rolled; none leaves it out.
    pub(crate) deployment: u32,
    /// Whether Services and EndpointSlices say who wrote which of their fields.
    pub(crate) managed_fields: bool,
}

/// A cluster, and what was edited in it.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    spec: Spec,
    /// NodePorts by service number, where it has one.
    node_ports: HashMap<u32, u16>,
    /// The pods in the slices of services that are not as they were made.
    edited: HashMap<u32, Vec<Vec<u32>>>,
    /// The number of the next new pod.
    next_pod: u32,
}

/// A service that leads to one pod of the lab, to send traffic to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// The endpoint.
    pub(crate) endpoint: SocketAddr,
    pub(crate) udp: bool,
    pub(crate) affinity: bool,
}

impl Cluster {
    /// A cluster of this size.
    pub(crate) fn new(spec: &Spec) -> Cluster {
        let with_port = (0..spec.services).filter(|it| spec.shares.traits(*it).node_port);
        let node_ports = with_port.zip(network::NODE_PORTS).collect();
        let pods = spec.services * spec.endpoints + spec.deployment;
        Cluster { spec: spec.clone(), node_ports, edited: HashMap::new(), next_pod: pods }
    }

    /// Every object of it, made one by one as they are asked for.
    pub(crate) fn objects(&self) -> impl Iterator<Item = Value> + '_ {
        let services = 0..self.services();
        let slices = services.clone().flat_map(|service| self.slices(service));
        let nodes = [self.node(), self.service_cidr()].into_iter();
        nodes.chain(services.map(|service| self.service(service))).chain(slices)
    }

    /// Where clients reach a service: its ClusterIP and first port.
    pub(crate) fn frontend(&self, service: u32) -> Frontend {
        let traits = self.traits(service);
        let port = service::ports(service, &traits).first().map_or(0, |port| port.port);
        let address = SocketAddr::new(network::cluster_ip_v4(service).into(), port);
        Frontend { address, udp: traits.udp }
    }

    /// The number of the large deployment's service, if there is one.
    pub(crate) fn deployment(&self) -> Option<u32> {
        (self.spec.deployment > 0).then_some(self.spec.services)
    }

    /// The service and the slice of a traffic target, and the address that clients use.
    pub(crate) fn target(&self, order: u32, target: &Target) -> (SocketAddr, [Value; 2]) {
        let number = self.services() + order;
        let traits = target.traits();
        let port = service::TARGET_PORT;
        let address = SocketAddr::new(network::cluster_ip_v4(number).into(), port.port);
        let service = self.service_of(number, &traits);
        let slice = self.slice_of_target(number, &traits, target.endpoint);
        (address, [service, slice])
    }

    /// All services, the large deployment's included.
    fn services(&self) -> u32 {
        self.spec.services + self.deployment().map_or(0, |_| 1)
    }

    fn traits(&self, service: u32) -> Traits {
        match self.deployment() == Some(service) {
            true => Traits::default(),
            false => self.spec.shares.traits(service),
        }
    }

    /// An object of a service that says who has written it, unless that is left out.
    fn managed(&self, object: Value, manager: &str, service: u32) -> Value {
        match self.spec.managed_fields {
            true => managed::add(object, manager, &metadata::created(service)),
            false => object,
        }
    }

    /// The pods of a service, slice by slice.
    fn pods(&self, service: u32) -> Vec<Vec<u32>> {
        if let Some(pods) = self.edited.get(&service) {
            return pods.clone();
        }
        let pods: Vec<u32> = self.first_pods(service).collect();
        pods.chunks(SLICE_ENDPOINTS).map(<[u32]>::to_vec).collect()
    }

    /// The pods that a service is made with. Where services differ, two that follow one another
    /// have as many together as if they did not.
    fn first_pods(&self, service: u32) -> Range<u32> {
        let Spec { services, endpoints, vary_endpoints, deployment, .. } = self.spec;
        let first = service * endpoints;
        if self.deployment() == Some(service) {
            return first..first + deployment;
        }
        let pair = service / 2;
        if !vary_endpoints || endpoints == 0 || pair * 2 + 1 == services {
            return first..first + endpoints;
        }
        let between =
            first - (service % 2) * endpoints + shares::spread(pair, 2 * endpoints - 1) + 1;
        match service % 2 {
            0 => first..between,
            _ => between..first + endpoints,
        }
    }
}

#[cfg(test)]
mod tests;
