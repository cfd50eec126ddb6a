//! Small clusters for tests.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(dead_code, clippy::allow_attributes, reason = "no test needs all of it")]

use std::net::IpAddr;
use std::sync::Arc;

use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_core::{
    Conditions, Endpoint, EndpointPort, EndpointSlice, Environment, Family, Index, ObjectName,
    Protocol, Service, ServicePlan, ServicePort, ServiceType, Update, WhenEndpointGone,
};

/// The node that tests run on.
pub(crate) const NODE: &str = "test-node";

/// A ClusterIP service with one TCP port 80 named `http`.
pub(crate) fn service(name: &str, cluster_ips: &[&str]) -> Service {
    Service {
        created: Some(0),
        cluster_ips: cluster_ips.iter().map(|ip| ip.parse().unwrap()).collect(),
        ports: vec![port("http", Protocol::Tcp, 80, None)],
        ..Service::new(ObjectName::new("default", name))
    }
}

/// A port of a service.
pub(crate) fn port(
    name: &str,
    protocol: Protocol,
    port: u16,
    node_port: Option<u16>,
) -> ServicePort {
    ServicePort { name: name.into(), protocol, port, node_port }
}

/// A slice of a service's endpoints, `address@node`, each on port 8080 under the name `http`.
pub(crate) fn slice(service: &str, suffix: &str, endpoints: &[&str]) -> EndpointSlice {
    let endpoint = |text: &&str| {
        let (address, node) = text.split_once('@').unwrap();
        Endpoint {
            address: address.parse().unwrap(),
            conditions: Conditions::default(),
            node_name: Some(node.into()),
            hints: None,
        }
    };
    let endpoints: Vec<Endpoint> = endpoints.iter().map(endpoint).collect();
    let family = endpoints.first().map_or(Family::V4, |first| Family::of(first.address));
    EndpointSlice {
        name: ObjectName::new("default", &format!("{service}-{suffix}")),
        service: ObjectName::new("default", service),
        family,
        ports: vec![EndpointPort { name: "http".into(), protocol: Protocol::Tcp, port: 8080 }],
        endpoints,
        trigger_time: None,
    }
}

/// The plans of a cluster.
pub(crate) fn plans(services: Vec<Service>, slices: Vec<EndpointSlice>) -> Vec<Arc<ServicePlan>> {
    let mut index = Index::new(NODE);
    index.apply(Update::ServicesReset(services));
    index.apply(Update::EndpointSlicesReset(slices));
    index.take_changes();
    index.plans().cloned().collect()
}

/// Pods by source address, NodePorts on one address per family, a ServiceCIDR per family.
pub(crate) fn environment() -> Environment {
    let listed = |ip: &str| NodePortAddresses::Listed(vec![ip.parse::<IpAddr>().unwrap()]);
    Environment {
        service_cidrs: vec!["172.30.0.0/16".parse().unwrap(), "fd00:172:30::/112".parse().unwrap()],
        node_ports_v4: listed("192.168.0.2"),
        node_ports_v6: listed("2001:db8::1"),
        local_pods_v4: LocalPods::Source("10.0.0.0/8".parse().unwrap()),
        local_pods_v6: LocalPods::Source("fd00:10::/32".parse().unwrap()),
        localhost_node_ports: false,
    }
}

/// A cluster with one service of each kind, in both families.
pub(crate) fn one_of_each() -> Vec<Arc<ServicePlan>> {
    let web = service("web", &["172.30.0.1", "fd00:172:30::1"]);
    let mut node_port = service("node-port", &["172.30.0.2", "fd00:172:30::2"]);
    node_port.service_type = ServiceType::NodePort;
    node_port.ports = vec![
        port("http", Protocol::Tcp, 80, Some(30080)),
        port("dns", Protocol::Udp, 53, Some(30053)),
    ];
    let mut local = service("local", &["172.30.0.3", "fd00:172:30::3"]);
    local.service_type = ServiceType::LoadBalancer;
    local.external_policy_local = true;
    local.load_balancer_ips = vec!["1.2.3.4".parse().unwrap(), "2001:db8:5::4".parse().unwrap()];
    local.ports = vec![port("http", Protocol::Tcp, 80, Some(30081))];
    let mut inside = service("inside", &["172.30.0.4", "fd00:172:30::4"]);
    inside.internal_policy_local = true;
    let mut resets = service("resets", &["172.30.0.6", "fd00:172:30::6"]);
    resets.tcp_when_endpoint_gone = WhenEndpointGone::Reset;
    let empty = service("empty", &["172.30.0.5", "fd00:172:30::5"]);
    let endpoints = ["10.180.0.1@test-node", "10.180.1.1@other-node", "10.180.1.2@other-node"];
    let endpoints_v6 = ["fd00:10:180::1@test-node", "fd00:10:180:1::1@other-node"];
    let remote = ["10.180.1.1@other-node"];
    let slices = vec![
        slice("web", "v4", &endpoints),
        slice("web", "v6", &endpoints_v6),
        slice("node-port", "v4", &endpoints[..1]),
        slice("node-port", "v6", &endpoints_v6),
        slice("local", "v4", &endpoints),
        slice("local", "v6", &endpoints_v6),
        slice("inside", "v4", &remote),
        slice("resets", "v4", &remote),
        slice("inside", "v6", &endpoints_v6),
    ];
    plans(vec![web, node_port, local, inside, resets, empty], slices)
}
