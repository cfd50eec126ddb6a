//! Short ways to write objects down, and to look at what becomes of them.
//!
//! All objects live in the namespace `shop`; this node is `here`.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use portolan_core::{
    Action, Change, Conditions, Destination, Endpoint, EndpointAddress, EndpointPort,
    EndpointSlice, Family, Frontend, Hints, Index, NodeInfo, ObjectName, Pool, PortPlan, Protocol,
    Service, ServicePlan, ServicePort, Traffic, Update,
};

pub(crate) const NODE: &str = "here";

pub(crate) const BALANCE_CLUSTER: Action = Action::Balance(Pool::Cluster);
pub(crate) const BALANCE_LOCAL: Action = Action::Balance(Pool::Local);

pub(crate) fn name(text: &str) -> ObjectName {
    ObjectName::new("shop", text)
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| ip(text)).collect()
}

pub(crate) fn nets(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// A ClusterIP Service with one unnamed port, TCP 80.
pub(crate) fn service(service: &str, cluster_ips: &[&str]) -> Service {
    Service {
        created: Some(100),
        cluster_ips: ips(cluster_ips),
        ports: vec![port("", Protocol::Tcp, 80)],
        ..Service::new(name(service))
    }
}

pub(crate) fn port(name: &str, protocol: Protocol, port: u16) -> ServicePort {
    ServicePort { name: name.into(), protocol, port, node_port: None }
}

pub(crate) fn node_port(name: &str, protocol: Protocol, number: u16, node: u16) -> ServicePort {
    ServicePort { node_port: Some(node), ..port(name, protocol, number) }
}

/// A slice of a Service with one unnamed port, TCP 8080, in the family of its endpoints.
pub(crate) fn slice(slice: &str, service: &str, endpoints: Vec<Endpoint>) -> EndpointSlice {
    EndpointSlice {
        name: name(slice),
        service: name(service),
        family: endpoints.first().map_or(Family::V4, |e| Family::of(e.address)),
        ports: vec![slice_port("", Protocol::Tcp, 8080)],
        endpoints,
        trigger_time: None,
    }
}

pub(crate) fn slice_port(name: &str, protocol: Protocol, port: u16) -> EndpointPort {
    EndpointPort { name: name.into(), protocol, port }
}

/// A ready endpoint on this node.
pub(crate) fn here(address: &str) -> Endpoint {
    Endpoint { node_name: Some(NODE.into()), ..nowhere(address) }
}

/// A ready endpoint on another node.
pub(crate) fn elsewhere(address: &str) -> Endpoint {
    Endpoint { node_name: Some("elsewhere".into()), ..nowhere(address) }
}

/// A ready endpoint that names no node.
pub(crate) fn nowhere(address: &str) -> Endpoint {
    let conditions = Conditions::default();
    Endpoint { address: ip(address), conditions, node_name: None, hints: None }
}

pub(crate) fn unready(endpoint: Endpoint) -> Endpoint {
    let conditions = Conditions { ready: false, serving: false, terminating: false };
    Endpoint { conditions, ..endpoint }
}

/// Serving and terminating, not ready.
pub(crate) fn draining(endpoint: Endpoint) -> Endpoint {
    let conditions = Conditions { ready: false, serving: true, terminating: true };
    Endpoint { conditions, ..endpoint }
}

pub(crate) fn hinted(endpoint: Endpoint, zone: &str) -> Endpoint {
    let hints = Hints { zones: vec![zone.into()], nodes: vec![] };
    Endpoint { hints: Some(Arc::new(hints)), ..endpoint }
}

pub(crate) fn node_in(zone: &str) -> NodeInfo {
    NodeInfo { zone: Some(zone.into()), ..NodeInfo::default() }
}

/// An index that has been told these things and has compiled them.
pub(crate) fn index(updates: impl IntoIterator<Item = Update>) -> Index {
    let mut index = Index::new(NODE);
    for update in updates {
        index.apply(update);
    }
    index.take_changes();
    index
}

/// Tells an index something and takes the changes.
pub(crate) fn apply(index: &mut Index, update: Update) -> Vec<Change> {
    index.apply(update);
    index.take_changes()
}

/// The Services whose plan changed.
pub(crate) fn touched(changes: &[Change]) -> Vec<&str> {
    changes.iter().map(|change| &*change.service.name).collect()
}

/// A Service `web` and its slice `web-1` with the endpoint 10.0.0.1.
pub(crate) fn web_and_slice() -> [Update; 2] {
    [
        Update::ServiceApplied(service("web", &["10.96.0.1"])),
        Update::EndpointSliceApplied(slice("web-1", "web", vec![here("10.0.0.1")])),
    ]
}

/// The plan of one Service with its slices.
pub(crate) fn plan(service: Service, slices: Vec<EndpointSlice>) -> Option<Arc<ServicePlan>> {
    let name = service.name.clone();
    let slices = slices.into_iter().map(Update::EndpointSliceApplied);
    index(std::iter::once(Update::ServiceApplied(service)).chain(slices)).plan(&name).cloned()
}

/// The only port of the plan of one Service with one slice of these endpoints.
pub(crate) fn only_port(service: Service, endpoints: Vec<Endpoint>) -> PortPlan {
    let slice = slice("slice", &service.name.name, endpoints);
    let plan = plan(service, vec![slice]).unwrap();
    assert_eq!(plan.ports.len(), 1, "{plan:?}");
    plan.ports.first().unwrap().clone()
}

/// The Cluster pool of the first port of a Service.
pub(crate) fn pool_of(index: &Index, service: &str) -> Vec<String> {
    cluster(index.plan(&name(service)).unwrap().ports.first().unwrap())
}

pub(crate) fn frontend(port: &PortPlan, destination: Destination) -> Frontend {
    *port.frontends.iter().find(|frontend| frontend.destination == destination).unwrap()
}

pub(crate) fn destinations(port: &PortPlan) -> Vec<Destination> {
    port.frontends.iter().map(|frontend| frontend.destination).collect()
}

pub(crate) fn cluster(port: &PortPlan) -> Vec<String> {
    port.cluster.iter().map(ToString::to_string).collect()
}

pub(crate) fn local(port: &PortPlan) -> Vec<String> {
    port.local.iter().map(ToString::to_string).collect()
}

/// What a client outside the cluster and one inside get.
pub(crate) fn outside_and_inside(traffic: Traffic) -> (Action, Action) {
    match traffic {
        Traffic::Everyone(action) => (action, action),
        Traffic::ByOrigin { inside, outside } => (outside, inside),
    }
}

/// The addresses of a family that tests use: ClusterIP, external IP, load balancer's IP,
/// and an endpoint on this node and one elsewhere, without and with port 8080.
pub(crate) struct Sample {
    pub(crate) cluster_ip: &'static str,
    pub(crate) external_ip: &'static str,
    pub(crate) balancer_ip: &'static str,
    pub(crate) here: &'static str,
    pub(crate) elsewhere: &'static str,
}

pub(crate) const SAMPLES: [Sample; 2] = [
    Sample {
        cluster_ip: "10.96.0.1",
        external_ip: "192.0.2.1",
        balancer_ip: "203.0.113.1",
        here: "10.0.1.1",
        elsewhere: "10.0.2.1",
    },
    Sample {
        cluster_ip: "fd00:96::1",
        external_ip: "2001:db8:1::1",
        balancer_ip: "2001:db8:2::1",
        here: "fd00:1::1",
        elsewhere: "fd00:2::1",
    },
];

pub(crate) fn on_8080(addresses: &[&str]) -> Vec<String> {
    addresses.iter().map(|text| SocketAddr::new(ip(text), 8080).to_string()).collect()
}

pub(crate) fn address(text: &str) -> EndpointAddress {
    text.parse::<SocketAddr>().unwrap().into()
}
