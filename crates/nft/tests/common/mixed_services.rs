//! A cluster of services of every kind, each with its own number of endpoints.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use portolan_core::{
    EndpointPort, EndpointSlice, Family, ObjectName, Protocol, Service, ServicePlan, ServiceType,
    WhenEndpointGone,
};

use crate::common;

/// The plans of so many services, at most 10,000.
pub(crate) fn mixed_services(count: u16) -> Vec<Arc<ServicePlan>> {
    let services = (0..count).map(service).collect();
    let slices = (0..count).flat_map(slices).collect();
    common::plans(services, slices)
}

fn service(number: u16) -> Service {
    let mut service = common::service("", &[]);
    service.name = name(number);
    service.cluster_ips = families(number).iter().map(|it| address(*it, 0x30, number)).collect();
    let (protocol, port, node_port) = (protocol(number), 1 + number % 4, 30_000 + number);
    service.ports = vec![common::port(port_name(number), protocol, port, None)];
    match number % 9 {
        1 => {
            service.service_type = ServiceType::NodePort;
            let port = common::port(port_name(number), protocol, port, Some(node_port));
            let other = common::port("other", Protocol::Udp, 53, Some(node_port + 10_000));
            service.ports = vec![port, other];
        }
        2 => {
            service.service_type = ServiceType::LoadBalancer;
            service.external_policy_local = true;
            service.load_balancer_ips =
                vec![address(Family::V4, 0x31, number), address(Family::V6, 0x31, number)];
            service.ports = vec![common::port(port_name(number), protocol, port, Some(node_port))];
        }
        3 => service.internal_policy_local = true,
        4 => service.external_ips = vec![address(Family::V4, 0x32, number)],
        _ => {}
    }
    if number % 7 == 6 {
        service.tcp_when_endpoint_gone = WhenEndpointGone::Reset;
    }
    service
}

/// Some names are the longest that Kubernetes takes, and some have no name for their port.
fn name(number: u16) -> ObjectName {
    if number % 10 == 7 {
        ObjectName::new(&"n".repeat(63), &format!("{number:x<63}"))
    } else {
        ObjectName::new("default", &format!("service-{number}"))
    }
}

fn port_name(number: u16) -> &'static str {
    match number % 10 {
        7 => "fifteen-letters",
        8 => "",
        _ => "http",
    }
}

fn protocol(number: u16) -> Protocol {
    match number % 5 {
        3 => Protocol::Udp,
        4 => Protocol::Sctp,
        _ => Protocol::Tcp,
    }
}

fn families(number: u16) -> &'static [Family] {
    match number % 4 {
        0 => &[Family::V4],
        1 => &[Family::V6],
        _ => &Family::BOTH,
    }
}

/// From 1 to 12 endpoints in each family, every third on this node; no slice at all for
/// one service of eleven. Neighbours share endpoints.
fn slices(number: u16) -> Vec<EndpointSlice> {
    if number % 11 == 10 {
        return Vec::new();
    }
    let families = families(number).iter();
    families.map(|family| slice(number, *family, 1 + number % 12)).collect()
}

fn slice(number: u16, family: Family, count: u16) -> EndpointSlice {
    let endpoints: Vec<String> = (0..count)
        .map(|endpoint| {
            let node = if endpoint % 3 == 0 { common::NODE } else { "other-node" };
            format!("{}@{node}", address(family, 0x10, number + endpoint))
        })
        .collect();
    let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
    let mut slice = common::slice("", "", &endpoints);
    let service = name(number);
    slice.name = ObjectName::new(&service.namespace, &format!("{number}-{family}"));
    slice.service = service;
    slice.ports = vec![
        EndpointPort {
            name: port_name(number).into(),
            protocol: protocol(number),
            port: 8000 + number,
        },
        EndpointPort { name: "other".into(), protocol: Protocol::Udp, port: 53 },
    ];
    slice
}

/// `10.NETWORK.0.0` and `fd00:10:NETWORK::`, plus the number.
fn address(family: Family, network: u8, number: u16) -> IpAddr {
    let [high, low] = number.to_be_bytes();
    match family {
        Family::V4 => IpAddr::from([10, network, high, low]),
        Family::V6 => IpAddr::from(Ipv6Addr::new(0xfd00, 0x10, network.into(), 0, 0, 0, 0, number)),
    }
}
