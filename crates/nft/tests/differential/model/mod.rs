//! The rules of a service proxy once more, in a few lines, without a plan, a table or an
//! index: what must become of one packet, by looking at every object.
//!
//! Written from what kube-proxy does and from the list of what Portolan does differently,
//! not from `portolan_core`, of which it takes nothing but the fields of the objects.

mod claims;
mod endpoints;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_core::{Family, ObjectName, Service, ServiceType};

use self::claims::{Claim, Kind};
use self::endpoints::{Choice, Endpoint};
use crate::cluster::Cluster;
use crate::packet::{Origin, Packet};
use crate::world::{Addresses, NODE};

/// What must become of a packet, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prediction {
    pub(crate) verdict: Verdict,
    /// The rule, in words.
    pub(crate) because: &'static str,
    /// The Service that has the address and port, if one has.
    pub(crate) service: Option<ObjectName>,
    /// That Service's ClusterIP and port, unless an older Service has them.
    pub(crate) home: Option<SocketAddr>,
}

/// What must become of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// One of these answers and sees this source.
    Balanced {
        endpoints: BTreeMap<SocketAddr, Seen>,
        /// The same one for the same client.
        sticky: bool,
    },
    /// It goes where it was sent to.
    Untouched,
    /// It goes where it was sent to, or is kept from a virtual server: refused at the node's
    /// own addresses, and dropped on the node's way to others.
    Left,
    /// Who sent it is told at once.
    Refused,
    /// Nobody ever answers.
    Silent,
}

/// Whose address an endpoint sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// The client's.
    Client,
    /// One of the node's.
    Node,
}

/// Predicts what becomes of a packet.
pub(crate) fn predict(cluster: &Cluster, packet: &Packet) -> Prediction {
    let address = packet.destination.ip();
    let owner = claims::owner(cluster, packet, Some(address));
    let owner = owner.or_else(|| match takes_node_ports(cluster, packet) {
        true => claims::owner(cluster, packet, None),
        false => None,
    });
    if let Some(claim) = owner {
        return served(cluster, packet, &claim);
    }
    let (verdict, because) = unclaimed(cluster, packet);
    Prediction { verdict, because, service: None, home: None }
}

fn takes_node_ports(cluster: &Cluster, packet: &Packet) -> bool {
    let address = packet.destination.ip();
    if address.is_loopback() {
        return address.is_ipv4() && cluster.environment.localhost_node_ports;
    }
    match cluster.node_ports(packet.family()) {
        NodePortAddresses::Any => is_node_address(address),
        NodePortAddresses::Listed(listed) => listed.contains(&address),
    }
}

/// Without loopback.
fn is_node_address(address: IpAddr) -> bool {
    Addresses::of(Family::of(address)).node.contains(&address)
}

/// Addresses and ports that no Service has.
fn unclaimed(cluster: &Cluster, packet: &Packet) -> (Verdict, &'static str) {
    let address = packet.destination.ip();
    if is_node_address(address) || address.is_loopback() {
        (Verdict::Untouched, "the node's own address")
    } else if claims::is_cluster_ip(cluster, address) {
        (Verdict::Refused, "a ClusterIP without this port")
    } else if cluster.environment.service_cidrs.iter().any(|network| network.contains(&address)) {
        (Verdict::Silent, "an address of a ServiceCIDR that no Service has")
    } else {
        (Verdict::Untouched, "nobody's address")
    }
}

/// An address and port of a Service, or one of its NodePorts.
fn served(cluster: &Cluster, packet: &Packet, claim: &Claim<'_>) -> Prediction {
    let choice = Choice::new(cluster, packet.family(), claim.service, claim.port);
    let (verdict, because) = match claim.of {
        Kind::ClusterIp => internal(cluster, packet, claim, choice),
        Kind::LoadBalancer if !may_enter(cluster, packet, claim.service) => {
            (Verdict::Silent, "not in the load balancer's source ranges")
        }
        Kind::LoadBalancer | Kind::ExternalIp | Kind::NodePort => {
            external(cluster, packet, claim, choice)
        }
    };
    let home = claims::home(cluster, packet, claim);
    Prediction { verdict, because, service: Some(claim.service.name.clone()), home }
}

fn internal(
    cluster: &Cluster,
    packet: &Packet,
    claim: &Claim<'_>,
    choice: Choice,
) -> (Verdict, &'static str) {
    let masquerade = cluster.masquerade_all || is_local_pod(cluster, packet) == Some(false);
    let (endpoints, because) = match claim.service.internal_policy_local {
        true => (choice.local, "ClusterIP, internalTrafficPolicy Local"),
        false => (choice.cluster, "ClusterIP"),
    };
    (balanced(packet, claim, endpoints, choice.has_any, masquerade), because)
}

fn external(
    cluster: &Cluster,
    packet: &Packet,
    claim: &Claim<'_>,
    choice: Choice,
) -> (Verdict, &'static str) {
    let local_pod = is_local_pod(cluster, packet) == Some(true);
    let (endpoints, masquerade, because) = if !external_policy_is_local(claim.service) {
        (choice.cluster, true, "external, policy Cluster")
    } else if local_pod {
        (choice.cluster, false, "external, policy Local, from a pod of the node")
    } else if packet.origin() == Origin::Node {
        (choice.cluster, true, "external, policy Local, from the node")
    } else {
        (choice.local, false, "external, policy Local")
    };
    (balanced(packet, claim, endpoints, choice.has_any, masquerade), because)
}

fn balanced(
    packet: &Packet,
    claim: &Claim<'_>,
    endpoints: Vec<Endpoint>,
    has_any: bool,
    masquerade: bool,
) -> Verdict {
    if endpoints.is_empty() {
        return if has_any { Verdict::Silent } else { Verdict::Refused };
    }
    let seen = |endpoint: &Endpoint| {
        let elsewhere = endpoint.node_name.as_deref().is_some_and(|name| name != NODE);
        let calls_itself = endpoint.address.ip() == packet.source && !elsewhere;
        // What is delivered to the node itself leaves it nowhere: no source is translated.
        let arrives = packet.origin() != Origin::Node && is_node_address(endpoint.address.ip());
        if (masquerade || calls_itself) && !arrives { Seen::Node } else { Seen::Client }
    };
    Verdict::Balanced {
        endpoints: endpoints.iter().map(|it| (it.address, seen(it))).collect(),
        sticky: claim.service.session_affinity.is_some(),
    }
}

/// None where nothing says how to recognise a pod.
fn is_local_pod(cluster: &Cluster, packet: &Packet) -> Option<bool> {
    match cluster.local_pods(packet.family()) {
        LocalPods::Unknown => None,
        LocalPods::Source(network) => Some(network.contains(&packet.source)),
        LocalPods::Interface(name) => Some(packet.origin().interface() == name),
        LocalPods::InterfacePrefix(prefix) => {
            Some(packet.origin().interface().starts_with(prefix.as_str()))
        }
    }
}

fn external_policy_is_local(service: &Service) -> bool {
    let counts = match service.service_type {
        ServiceType::NodePort | ServiceType::LoadBalancer => true,
        ServiceType::ClusterIP => !service.external_ips.is_empty(),
        ServiceType::ExternalName => false,
    };
    counts && service.external_policy_local
}

/// Source ranges hold for the addresses of load balancers and for every client. A range of
/// everything takes back those of its family. What is left of one family only closes the
/// other.
fn may_enter(cluster: &Cluster, packet: &Packet, service: &Service) -> bool {
    let everything: Vec<&IpNet> =
        service.source_ranges.iter().filter(|range| range.prefix_len() == 0).collect();
    let holds = |range: &&IpNet| !everything.iter().any(|all| all.contains(*range));
    let ranges: Vec<&IpNet> = service.source_ranges.iter().filter(holds).collect();
    if ranges.is_empty() || everything.iter().any(|all| all.contains(&packet.source)) {
        return true;
    }
    let is_in_a_range = |address: &IpAddr| ranges.iter().any(|range| range.contains(address));
    let same_family = |it: &&IpAddr| it.is_ipv4() == packet.source.is_ipv4();
    // The node uses a load balancer's address as its own source if it has that address.
    let node_may = cluster.node.addresses.iter().filter(same_family).any(is_in_a_range);
    is_in_a_range(&packet.source) || node_may && service.load_balancer_ips.contains(&packet.source)
}
