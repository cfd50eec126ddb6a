//! The objects of a packet scenario as the input of core.

use std::net::IpAddr;

use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_core::{
    self as core, Environment, Family, Hints, NodeInfo, ObjectName, ServiceType, SessionAffinity,
};
use portolan_lab::Protocol;
use portolan_lab::scenario::{Config, Endpoint, EndpointSlice, Phase, Scenario, Service};

/// What the node is told.
pub(crate) fn environment(config: &Config) -> Environment {
    let pods = |family| match config.detect_local {
        Some(net) if Family::of_net(&net) == family => LocalPods::Source(net),
        _ => LocalPods::Unknown,
    };
    Environment {
        service_cidrs: config.service_cidrs.clone(),
        node_ports_v4: node_ports(config, Family::V4),
        node_ports_v6: node_ports(config, Family::V6),
        local_pods_v4: pods(Family::V4),
        local_pods_v6: pods(Family::V6),
        localhost_node_ports: false,
    }
}

fn node_ports(config: &Config, family: Family) -> NodePortAddresses {
    let mut nets =
        config.node_port_addresses.iter().filter(|net| Family::of_net(net) == family).peekable();
    if nets.peek().is_none() || nets.clone().any(|net| net.prefix_len() == 0) {
        return NodePortAddresses::Any;
    }
    let nets: Vec<_> = nets.collect();
    let listed = |ip: &&IpAddr| nets.iter().any(|net| net.contains(*ip));
    NodePortAddresses::Listed(config.node_addresses.iter().filter(listed).copied().collect())
}

/// The node.
pub(crate) fn node(config: &Config) -> NodeInfo {
    NodeInfo {
        zone: (!config.zone.is_empty()).then(|| config.zone.as_str().into()),
        addresses: vec![config.node_ip],
        ..NodeInfo::default()
    }
}

/// The Services.
pub(crate) fn services(scenario: &Scenario) -> Vec<core::Service> {
    scenario.services.iter().map(service).collect()
}

fn service(service: &Service) -> core::Service {
    let is_local = |policy: &Option<String>| policy.as_deref() == Some("Local");
    core::Service {
        name: ObjectName::new(&service.namespace, &service.name),
        created: None,
        service_type: match service.kind.as_deref() {
            Some("NodePort") => ServiceType::NodePort,
            Some("LoadBalancer") => ServiceType::LoadBalancer,
            _ => ServiceType::ClusterIP,
        },
        cluster_ips: vec![service.cluster_ip],
        ports: service
            .ports
            .iter()
            .map(|port| core::ServicePort {
                name: port.name.as_str().into(),
                protocol: protocol(port.protocol),
                port: port.port,
                node_port: port.node_port,
            })
            .collect(),
        external_ips: service.external_ips.clone(),
        load_balancer_ips: service.lb_ingress.iter().map(|ingress| ingress.ip).collect(),
        source_ranges: service
            .load_balancer_source_ranges
            .iter()
            .map(|range| range.trim().parse().unwrap())
            .collect(),
        external_policy_local: is_local(&service.external_traffic_policy),
        internal_policy_local: is_local(&service.internal_traffic_policy),
        session_affinity: service
            .session_affinity_timeout_seconds
            .map(|timeout_seconds| SessionAffinity { timeout_seconds }),
        health_check_node_port: service.health_check_node_port,
        tcp_when_endpoint_gone: core::WhenEndpointGone::Keep,
        ipvs_scheduler: None,
    }
}

fn protocol(protocol: Protocol) -> core::Protocol {
    match protocol {
        Protocol::Tcp => core::Protocol::Tcp,
        Protocol::Udp => core::Protocol::Udp,
        Protocol::Sctp => core::Protocol::Sctp,
    }
}

/// The EndpointSlices of a phase.
pub(crate) fn slices(phase: &Phase) -> Vec<core::EndpointSlice> {
    phase.endpoint_slices.iter().map(slice).collect()
}

fn slice(slice: &EndpointSlice) -> core::EndpointSlice {
    let is_v4 = slice.address_type == "IPv4";
    core::EndpointSlice {
        name: ObjectName::new(&slice.namespace, &slice.name),
        service: ObjectName::new(&slice.namespace, &slice.service),
        family: if is_v4 { Family::V4 } else { Family::V6 },
        ports: slice
            .ports
            .iter()
            .map(|port| core::EndpointPort {
                name: port.name.as_str().into(),
                protocol: protocol(port.protocol),
                port: port.port,
            })
            .collect(),
        endpoints: slice.endpoints.iter().map(endpoint).collect(),
        trigger_time: None,
    }
}

fn endpoint(endpoint: &Endpoint) -> core::Endpoint {
    let conditions = endpoint.conditions;
    let zones: Vec<_> = endpoint.zones.iter().map(|zone| zone.as_str().into()).collect();
    core::Endpoint {
        address: endpoint.ip,
        conditions: core::Conditions {
            ready: conditions.ready.unwrap_or(true),
            serving: conditions.serving.unwrap_or(true),
            terminating: conditions.terminating.unwrap_or(false),
        },
        node_name: Some(endpoint.node.as_str().into()),
        hints: (!zones.is_empty()).then(|| Hints { zones, nodes: Vec::new() }.into()),
    }
}
