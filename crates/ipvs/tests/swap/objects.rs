//! The node's addresses, its service and that one's endpoints.

use std::net::IpAddr;

use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_core::{
    Conditions, Endpoint, EndpointPort, EndpointSlice, Environment, Family, ObjectName, Protocol,
    Service, ServicePort, ServiceType,
};

pub(crate) const PODS: u8 = 4;
pub(crate) const TCP_PORT: u16 = 8080;
pub(crate) const UDP_PORT: u16 = 5353;
pub(crate) const NODE_PORT: u16 = 30080;

fn address(v6: bool, v4_text: &str, v6_text: &str) -> IpAddr {
    if v6 { v6_text } else { v4_text }.parse().unwrap()
}

pub(crate) fn pod(v6: bool, number: u8) -> IpAddr {
    address(v6, &format!("10.180.0.{number}"), &format!("fd00:10:180::{number}"))
}

pub(crate) fn client_pod(v6: bool) -> IpAddr {
    address(v6, "10.180.0.99", "fd00:10:180::99")
}

pub(crate) fn outside(v6: bool) -> IpAddr {
    address(v6, "192.168.0.100", "2001:db8::100")
}

pub(crate) fn node_address(v6: bool) -> IpAddr {
    address(v6, "192.168.0.2", "2001:db8::1")
}

pub(crate) fn cluster_ip(v6: bool) -> IpAddr {
    address(v6, "172.30.0.10", "fd00:172:30::10")
}

pub(crate) fn balancer(v6: bool) -> IpAddr {
    address(v6, "1.2.3.4", "2001:db8:5::4")
}

pub(crate) fn service(v6: bool) -> Service {
    let port = |name: &str, protocol| ServicePort {
        name: name.into(),
        protocol,
        port: 80,
        node_port: Some(NODE_PORT),
    };
    Service {
        service_type: ServiceType::LoadBalancer,
        cluster_ips: vec![cluster_ip(v6)],
        load_balancer_ips: vec![balancer(v6)],
        ports: vec![port("tcp", Protocol::Tcp), port("udp", Protocol::Udp)],
        ..Service::new(ObjectName::new("default", "echo"))
    }
}

pub(crate) fn slice(v6: bool) -> EndpointSlice {
    let endpoint = |number| Endpoint {
        address: pod(v6, number),
        conditions: Conditions::default(),
        node_name: Some(if number % 2 == 0 { "here" } else { "there" }.into()),
        hints: None,
    };
    let port = |name: &str, protocol, port| EndpointPort { name: name.into(), protocol, port };
    EndpointSlice {
        name: ObjectName::new("default", "echo-1"),
        service: ObjectName::new("default", "echo"),
        family: if v6 { Family::V6 } else { Family::V4 },
        trigger_time: None,
        ports: vec![port("tcp", Protocol::Tcp, TCP_PORT), port("udp", Protocol::Udp, UDP_PORT)],
        endpoints: (1..=PODS).map(endpoint).collect(),
    }
}

pub(crate) fn environment(v6: bool) -> Environment {
    let pods = if v6 { "fd00:10:180::/48" } else { "10.180.0.0/16" };
    let cidr = if v6 { "fd00:172:30::/112" } else { "172.30.0.0/16" };
    let local_pods = LocalPods::Source(pods.parse().unwrap());
    let node_ports = NodePortAddresses::Listed(vec![node_address(v6)]);
    let none = || NodePortAddresses::Listed(Vec::new());
    let [mut node_ports_v4, mut node_ports_v6] = [none(), none()];
    *(if v6 { &mut node_ports_v6 } else { &mut node_ports_v4 }) = node_ports;
    Environment {
        service_cidrs: vec![cidr.parse().unwrap()],
        node_ports_v4,
        node_ports_v6,
        local_pods_v4: local_pods.clone(),
        local_pods_v6: local_pods,
        localhost_node_ports: false,
    }
}
