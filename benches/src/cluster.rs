//! Clusters of any size, and the edits that happen to them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_core::{
    Conditions, Endpoint, EndpointPort, EndpointSlice, Environment, Family, Index, ObjectName,
    Protocol, Service, ServicePlan, ServicePort, SessionAffinity, Update,
};

/// The node that is measured.
pub(crate) const NODE: &str = "node-1";

/// Every service has one TCP port under this name.
const PORT: &str = "http";

/// On this number.
const SERVICE_PORT: u16 = 80;

/// ClusterIP services with the same number of endpoints each, one of ten on this node.
pub(crate) struct Cluster {
    pub(crate) index: Index,
    /// How many there are; the next one has this number.
    services: u32,
    endpoints: u32,
}

impl Cluster {
    /// A cluster of a size, indexed and planned.
    pub(crate) fn new(services: u32, endpoints: u32) -> Cluster {
        let mut cluster = Cluster { index: Index::new(NODE), services, endpoints };
        cluster.index.apply(Update::ServicesReset((0..services).map(service).collect()));
        let slices = (0..services).map(|it| slice(it, 0..endpoints)).collect();
        cluster.index.apply(Update::EndpointSlicesReset(slices));
        cluster.index.take_changes();
        cluster
    }

    /// Adds a service with one endpoint and returns its ClusterIP and port.
    pub(crate) fn add_service_of(
        &mut self,
        endpoint: IpAddr,
        port: u16,
        session_affinity: Option<SessionAffinity>,
    ) -> SocketAddr {
        let number = self.services;
        self.services += 1;
        let service = Service { session_affinity, ..service(number) };
        let mut slice = slice(number, 0..1);
        slice.endpoints.iter_mut().for_each(|it| it.address = endpoint);
        slice.ports.iter_mut().for_each(|it| it.port = port);
        self.index.apply(Update::ServiceApplied(service));
        self.index.apply(Update::EndpointSliceApplied(slice));
        self.index.take_changes();
        SocketAddr::new(cluster_ip(number), SERVICE_PORT)
    }

    /// All plans.
    pub(crate) fn plans(&self) -> Vec<Arc<ServicePlan>> {
        self.index.plans().cloned().collect()
    }

    /// One pod of a service is replaced by another: round `round` of many.
    pub(crate) fn replace_one(&self, round: u32) -> Update {
        let service = spread(round, self.services);
        let last = self.endpoints + 1 + round;
        Update::EndpointSliceApplied(slice(service, (1..self.endpoints).chain([last])))
    }

    /// A service gains a pod.
    pub(crate) fn scale_up(&self, round: u32) -> Update {
        Update::EndpointSliceApplied(slice(spread(round, self.services), 0..=self.endpoints))
    }

    /// The same service loses it again.
    pub(crate) fn scale_down(&self, round: u32) -> Update {
        Update::EndpointSliceApplied(slice(spread(round, self.services), 0..self.endpoints))
    }
}

/// A node with pods in a network of its own and NodePorts on every address.
pub(crate) fn environment() -> Environment {
    let network = |octets: [u8; 4], prefix| format!("{}/{prefix}", Ipv4Addr::from(octets));
    Environment {
        service_cidrs: network([172, 16, 0, 0], 12).parse().into_iter().collect(),
        node_ports_v4: NodePortAddresses::Any,
        local_pods_v4: network([10, 0, 0, 0], 8)
            .parse()
            .map_or(LocalPods::Unknown, LocalPods::Source),
        ..Environment::default()
    }
}

/// Neighbouring rounds touch services that are far apart.
fn spread(round: u32, services: u32) -> u32 {
    round.wrapping_mul(7919) % services.max(1)
}

fn name(number: u32) -> ObjectName {
    ObjectName::new(&format!("team-{}", number % 97), &format!("service-{number}"))
}

fn service(number: u32) -> Service {
    Service {
        created: Some(i64::from(number)),
        cluster_ips: vec![cluster_ip(number)],
        ports: vec![ServicePort {
            name: PORT.into(),
            protocol: Protocol::Tcp,
            port: SERVICE_PORT,
            node_port: None,
        }],
        ..Service::new(name(number))
    }
}

fn slice(number: u32, endpoints: impl IntoIterator<Item = u32>) -> EndpointSlice {
    let here: Arc<str> = NODE.into();
    let there: Arc<str> = "node-2".into();
    let endpoint = |endpoint: u32| Endpoint {
        address: address([10, 0, 0, 0], number.wrapping_mul(251).wrapping_add(endpoint)),
        conditions: Conditions::default(),
        node_name: Some(if endpoint.is_multiple_of(10) { here.clone() } else { there.clone() }),
        hints: None,
    };
    let service = name(number);
    EndpointSlice {
        name: ObjectName::new(&service.namespace, &format!("{}-x7k2p", service.name)),
        service,
        family: Family::V4,
        ports: vec![EndpointPort { name: PORT.into(), protocol: Protocol::Tcp, port: 8080 }],
        endpoints: endpoints.into_iter().map(endpoint).collect(),
        trigger_time: None,
    }
}

fn cluster_ip(number: u32) -> IpAddr {
    address([172, 16, 0, 0], number)
}

fn address(network: [u8; 4], number: u32) -> IpAddr {
    // The lowest 20 to 24 bits; the networks above are wide enough for 50,000 services.
    Ipv4Addr::from(u32::from_be_bytes(network).wrapping_add(number % (1 << 24))).into()
}
