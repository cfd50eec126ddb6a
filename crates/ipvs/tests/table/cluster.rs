//! A cluster of any size, and what happens to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_core::{
    Change, Conditions, Endpoint, EndpointPort, EndpointSlice, Environment, Family, Index,
    ObjectName, Protocol, Service, ServicePlan, ServicePort, Update,
};
use portolan_netlink::ipvs::{Destination, Operation, Server, ServerKey};

/// Of each Service, in the beginning.
pub(crate) const ENDPOINTS: u32 = 4;

/// ClusterIP Services of one TCP port, each with an EndpointSlice.
pub(crate) struct Cluster {
    index: Index,
    services: u32,
}

impl Cluster {
    pub(crate) fn new(services: u32) -> Cluster {
        let mut index = Index::new("node-1");
        index.apply(Update::ServicesReset((0..services).map(service).collect()));
        let slices = (0..services).map(|number| slice(number, 0..ENDPOINTS)).collect();
        index.apply(Update::EndpointSlicesReset(slices));
        index.take_changes();
        Cluster { index, services }
    }

    pub(crate) fn plans(&self) -> Vec<Arc<ServicePlan>> {
        self.index.plans().cloned().collect()
    }

    /// One endpoint of a Service is replaced by another.
    pub(crate) fn replaced(&self, round: u32) -> Update {
        Update::EndpointSliceApplied(slice(self.spread(round), (1..=ENDPOINTS).rev()))
    }

    /// A Service gains an endpoint.
    pub(crate) fn scaled_up(&self, round: u32) -> Update {
        Update::EndpointSliceApplied(slice(self.spread(round), 0..=ENDPOINTS))
    }

    /// It loses it again.
    pub(crate) fn scaled_down(&self, round: u32) -> Update {
        Update::EndpointSliceApplied(slice(self.spread(round), 0..ENDPOINTS))
    }

    /// A Service is deleted. Its EndpointSlice stays.
    pub(crate) fn deleted(&self, round: u32) -> Update {
        Update::ServiceDeleted(name(self.spread(round)))
    }

    /// It is there again.
    pub(crate) fn added(&self, round: u32) -> Update {
        Update::ServiceApplied(service(self.spread(round)))
    }

    /// What an event changes.
    pub(crate) fn take(&mut self, update: Update) -> Vec<Change> {
        self.index.apply(update);
        self.index.take_changes()
    }

    /// Rounds that follow each other touch Services that are far apart.
    fn spread(&self, round: u32) -> u32 {
        round.wrapping_mul(7919) % self.services
    }
}

/// What IPVS has to be sent for a cluster of a size, in the order in which the backend does.
pub(crate) fn requests(services: u32) -> Vec<Operation> {
    let key = |number| {
        let address = SocketAddr::new(address([172, 16, 0, 0], number), 80);
        ServerKey::Address { protocol: Protocol::Tcp.number(), address }
    };
    let server = |number| {
        let scheduler = "rr".to_owned();
        Operation::AddServer(Server { key: key(number), scheduler, flags: 0, persistence: None })
    };
    let destinations = |number| {
        (0..ENDPOINTS).map(move |endpoint| {
            let address = SocketAddr::new(pod(number, endpoint), 8080);
            Operation::AddDestination(key(number), Destination { address, weight: 1 })
        })
    };
    (0..services).map(server).chain((0..services).flat_map(destinations)).collect()
}

/// A node with pods in a network of its own, and one address that takes NodePorts.
pub(crate) fn environment() -> Environment {
    Environment {
        service_cidrs: vec!["172.16.0.0/12".parse().unwrap()],
        node_ports_v4: NodePortAddresses::Listed(vec!["192.0.2.1".parse().unwrap()]),
        node_ports_v6: NodePortAddresses::Listed(Vec::new()),
        local_pods_v4: LocalPods::Source("10.0.0.0/8".parse().unwrap()),
        ..Environment::default()
    }
}

fn name(number: u32) -> ObjectName {
    ObjectName::new(&format!("team-{}", number % 97), &format!("service-{number:05}"))
}

fn address(network: [u8; 4], number: u32) -> IpAddr {
    Ipv4Addr::from(u32::from_be_bytes(network) + number).into()
}

fn pod(number: u32, endpoint: u32) -> IpAddr {
    address([10, 0, 0, 0], 16 * number + endpoint)
}

fn service(number: u32) -> Service {
    let port =
        ServicePort { name: "http".into(), protocol: Protocol::Tcp, port: 80, node_port: None };
    Service {
        created: Some(number.into()),
        cluster_ips: vec![address([172, 16, 0, 0], number)],
        ports: vec![port],
        ..Service::new(name(number))
    }
}

/// One endpoint of four is on this node.
fn slice(number: u32, endpoints: impl Iterator<Item = u32>) -> EndpointSlice {
    let endpoint = |endpoint: u32| Endpoint {
        address: pod(number, endpoint),
        conditions: Conditions::default(),
        node_name: Some(format!("node-{}", 1 + endpoint % 4).into()),
        hints: None,
    };
    let service = name(number);
    EndpointSlice {
        name: ObjectName::new(&service.namespace, &format!("{}-x7k2p", service.name)),
        service,
        family: Family::V4,
        ports: vec![EndpointPort { name: "http".into(), protocol: Protocol::Tcp, port: 8080 }],
        endpoints: endpoints.map(endpoint).collect(),
        trigger_time: None,
    }
}
