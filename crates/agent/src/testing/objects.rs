//! Services, EndpointSlices and the Node, as a source reports them.

use std::net::IpAddr;

use portolan_core::{
    Endpoint, EndpointPort, EndpointSlice, Family, NodeInfo, ObjectName, Protocol, Service,
    ServicePort, ServiceType, Update,
};
use portolan_watch::SourceEvent;

/// TCP port 80 of `10.96.0.LAST`.
pub(crate) fn service(name: &str, last: u8) -> Service {
    Service {
        cluster_ips: vec![IpAddr::from([10, 96, 0, last])],
        ports: vec![ServicePort {
            name: "".into(),
            protocol: Protocol::Tcp,
            port: 80,
            node_port: None,
        }],
        ..Service::new(ObjectName::new("default", name))
    }
}

/// Port 8080 of `10.244.0.LAST`, for each of `lasts`.
pub(crate) fn slice(service: &str, lasts: &[u8]) -> EndpointSlice {
    let endpoint = |last: &u8| Endpoint {
        address: IpAddr::from([10, 244, 0, *last]),
        conditions: Default::default(),
        node_name: None,
        hints: None,
    };
    EndpointSlice {
        name: ObjectName::new("default", &format!("{service}-slice")),
        service: ObjectName::new("default", service),
        family: Family::V4,
        ports: vec![EndpointPort { name: "".into(), protocol: Protocol::Tcp, port: 8080 }],
        endpoints: lasts.iter().map(endpoint).collect(),
        trigger_time: None,
    }
}

pub(crate) fn node(addresses: &[&str], pod_cidrs: &[&str]) -> SourceEvent {
    SourceEvent::Update(Update::NodeApplied(NodeInfo {
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        pod_cidrs: pod_cidrs.iter().map(|text| text.parse().unwrap()).collect(),
        ..NodeInfo::default()
    }))
}

pub(crate) fn services(services: Vec<Service>) -> SourceEvent {
    SourceEvent::Update(Update::ServicesReset(services))
}

pub(crate) fn slices(slices: Vec<EndpointSlice>) -> SourceEvent {
    SourceEvent::Update(Update::EndpointSlicesReset(slices))
}

pub(crate) fn slice_applied(service: &str, lasts: &[u8]) -> SourceEvent {
    SourceEvent::Update(Update::EndpointSliceApplied(slice(service, lasts)))
}

/// UDP port 53 of `10.96.0.LAST`.
pub(crate) fn udp_service(name: &str, last: u8) -> Service {
    let mut service = service(name, last);
    for port in &mut service.ports {
        (port.protocol, port.port) = (Protocol::Udp, 53);
    }
    service
}

/// UDP port 8080 of `10.244.0.LAST`, for each of `lasts`.
pub(crate) fn udp_slice(service: &str, lasts: &[u8]) -> EndpointSlice {
    let mut slice = slice(service, lasts);
    slice.ports.iter_mut().for_each(|port| port.protocol = Protocol::Udp);
    slice
}

/// A Service that load balancers ask for at `port`, like [`service`] otherwise.
pub(crate) fn balanced(name: &str, last: u8, port: u16) -> Service {
    Service {
        service_type: ServiceType::LoadBalancer,
        external_policy_local: true,
        health_check_node_port: Some(port),
        ..service(name, last)
    }
}

/// Like [`slice`], with all endpoints on this node.
pub(crate) fn local_slice(service: &str, lasts: &[u8]) -> EndpointSlice {
    let mut slice = slice(service, lasts);
    for endpoint in &mut slice.endpoints {
        endpoint.node_name = Some("node-a".into());
    }
    slice
}
