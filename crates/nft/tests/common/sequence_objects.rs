//! The objects of a packet sequence as the input of core.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_core::{
    self as core, Environment, Family, Hints, Index, NodeInfo, ObjectName, ServiceType,
    SessionAffinity, Update,
};
use portolan_lab::Protocol;
use portolan_lab::sequence::{
    Cast, Cluster, Endpoint, IpFamily, IpMode, NodePorts, Policy, Service, Slice,
};

/// The node under test.
pub(crate) const NODE: &str = "test-node";

/// What the node is told.
pub(crate) fn environment(cluster: &Cluster, cast: &Cast) -> Environment {
    let this = family(cast.family);
    let settings = &cluster.settings;
    let node_ports = node_ports(cluster);
    let pods = match (&settings.pod_interface, &settings.pod_interface_prefix) {
        (Some(name), _) => LocalPods::Interface(name.clone()),
        (None, Some(prefix)) => LocalPods::InterfacePrefix(prefix.clone()),
        (None, None) => settings.local_pods.map_or(LocalPods::Unknown, LocalPods::Source),
    };
    let of = |family| match family == this {
        true => (node_ports.clone(), pods.clone()),
        false => (NodePortAddresses::Listed(vec![]), LocalPods::Unknown),
    };
    let ((node_ports_v4, local_pods_v4), (node_ports_v6, local_pods_v6)) =
        (of(Family::V4), of(Family::V6));
    Environment {
        service_cidrs: settings.service_cidrs.clone(),
        node_ports_v4,
        node_ports_v6,
        local_pods_v4,
        local_pods_v6,
        localhost_node_ports: settings.localhost_node_ports,
    }
}

fn node_ports(cluster: &Cluster) -> NodePortAddresses {
    let mut listed: Vec<IpAddr> = match &cluster.settings.node_ports {
        NodePorts::Any => return NodePortAddresses::Any,
        NodePorts::Primary => cluster.this_node.addresses.clone(),
        NodePorts::Networks(networks) => {
            let interface = cluster.this_node.interface.iter().copied();
            interface.filter(|ip| networks.iter().any(|net| net.contains(ip))).collect()
        }
    };
    listed.sort_unstable();
    NodePortAddresses::Listed(listed)
}

/// Tells an index what is new since the objects that it was told last.
pub(crate) fn tell(index: &mut Index, old: Option<&Cluster>, new: &Cluster, cast: &Cast) {
    let family = family(cast.family);
    index.apply(Update::NodeApplied(NodeInfo {
        zone: new.this_node.zone.as_deref().map(Into::into),
        addresses: new.this_node.addresses.clone(),
        ..NodeInfo::default()
    }));
    for (name, slice) in &new.slices {
        let slice = self::slice(name, slice, cast, family);
        index.apply(Update::EndpointSliceApplied(slice));
    }
    for (name, service) in &new.services {
        index.apply(Update::ServiceApplied(self::service(name, service)));
    }
    let Some(old) = old else { return };
    for name in gone(&old.slices, &new.slices) {
        index.apply(Update::EndpointSliceDeleted(name));
    }
    for name in gone(&old.services, &new.services) {
        index.apply(Update::ServiceDeleted(name));
    }
}

fn gone<T>(old: &BTreeMap<String, T>, new: &BTreeMap<String, T>) -> Vec<ObjectName> {
    old.keys().filter(|name| !new.contains_key(*name)).map(|name| object_name(name)).collect()
}

fn object_name(name: &str) -> ObjectName {
    ObjectName::new("default", name)
}

fn family(family: IpFamily) -> Family {
    match family {
        IpFamily::V4 => Family::V4,
        IpFamily::V6 => Family::V6,
    }
}

fn service(name: &str, service: &Service) -> core::Service {
    let vips = service.load_balancer.iter().filter(|(_, mode)| **mode == IpMode::Vip);
    core::Service {
        name: object_name(name),
        created: service.created,
        service_type: match service.kind.as_deref() {
            None | Some("ClusterIP") => ServiceType::ClusterIP,
            Some("NodePort") => ServiceType::NodePort,
            Some("LoadBalancer") => ServiceType::LoadBalancer,
            Some(other) => {
                assert_eq!(other, "ExternalName");
                ServiceType::ExternalName
            }
        },
        cluster_ips: service.cluster_ip.into_iter().collect(),
        ports: service
            .ports
            .iter()
            .map(|(name, port)| core::ServicePort {
                name: name.as_str().into(),
                protocol: protocol(port.protocol),
                port: port.port,
                node_port: port.node_port,
            })
            .collect(),
        external_ips: service.external_ips.clone(),
        load_balancer_ips: vips.map(|(address, _)| *address).collect(),
        source_ranges: service.source_ranges.clone(),
        external_policy_local: service.external_policy == Policy::Local,
        internal_policy_local: service.internal_policy == Policy::Local,
        session_affinity: service
            .affinity
            .map(|timeout_seconds| SessionAffinity { timeout_seconds }),
        health_check_node_port: None,
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

fn slice(name: &str, slice: &Slice, cast: &Cast, family: Family) -> core::EndpointSlice {
    let service = slice.service.as_deref().unwrap_or_else(|| name.rsplit_once('-').unwrap().0);
    core::EndpointSlice {
        name: object_name(name),
        service: object_name(service),
        family,
        ports: slice
            .ports
            .iter()
            .map(|(name, port)| core::EndpointPort {
                name: name.as_str().into(),
                protocol: protocol(port.protocol),
                port: port.port,
            })
            .collect(),
        endpoints: slice.endpoints.iter().map(|(ip, it)| endpoint(*ip, it, cast)).collect(),
        trigger_time: None,
    }
}

fn endpoint(address: IpAddr, endpoint: &Endpoint, cast: &Cast) -> core::Endpoint {
    let here = if cast.pods.contains(&address) { NODE } else { "other-node" };
    let node = endpoint.node_name.as_deref().unwrap_or(here);
    let names = |list: &[String]| list.iter().map(|name| name.as_str().into()).collect();
    let hints = Hints { zones: names(&endpoint.zones), nodes: names(&endpoint.nodes) };
    core::Endpoint {
        address,
        conditions: core::Conditions {
            ready: endpoint.ready.unwrap_or(true),
            serving: endpoint.serving.unwrap_or(true),
            terminating: endpoint.terminating.unwrap_or(false),
        },
        node_name: (!node.is_empty()).then(|| node.into()),
        hints: (hints != Hints::default()).then(|| hints.into()),
    }
}
