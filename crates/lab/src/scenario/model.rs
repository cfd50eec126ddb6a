use std::fmt;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use serde::Deserialize;

use crate::Protocol;

/// The file of scenarios.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Scenarios {
    /// What a scenario's configuration is unless it says otherwise, for IPv4.
    #[serde(rename = "baseConfigIPv4")]
    pub base_config_ipv4: Config,
    /// The same for IPv6.
    #[serde(rename = "baseConfigIPv6")]
    pub base_config_ipv6: Config,
    /// Scenarios that kube-proxy is tested with.
    pub packet_scenarios: Vec<Scenario>,
    /// Scenarios that follow from kube-proxy's rules but that it has no test for.
    pub derived_scenarios: Vec<Scenario>,
}

/// Services, and what becomes of packets while their endpoints change.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// Short and unique.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// The kube-proxy test that has the same objects and packets.
    #[serde(default)]
    pub kube_proxy_test: Option<String>,
    /// Something to know.
    #[serde(default)]
    pub note: Option<String>,
    /// The node and the proxy's settings.
    pub config: Config,
    /// The Services, the same in all phases.
    pub services: Vec<Service>,
    /// What happens one after the other.
    pub phases: Vec<Phase>,
}

/// The node and the proxy's settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// `IPv4` or `IPv6`: the family that the scenario is about.
    pub family: String,
    /// Name of the node under test.
    pub node_name: String,
    /// Its main address.
    #[serde(rename = "nodeIP")]
    pub node_ip: IpAddr,
    /// All its addresses, with the loopback's.
    pub node_addresses: Vec<IpAddr>,
    /// Its topology zone; empty for none.
    pub zone: String,
    /// Which of its addresses accept NodePorts.
    pub node_port_addresses: Vec<IpNet>,
    /// Where ClusterIPs are taken from, as far as the proxy knows.
    #[serde(rename = "serviceCIDRs")]
    pub service_cidrs: Vec<IpNet>,
    /// Source addresses of the node's own pods; none if they cannot be told.
    pub detect_local: Option<IpNet>,
    /// Whether everything sent to a service is masqueraded.
    pub masquerade_all: bool,
}

/// A Service, with the names of the Kubernetes API. What is left out there is none here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the Kubernetes API documents its fields")]
pub struct Service {
    #[serde(rename = "ns")]
    pub namespace: String,
    pub name: String,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    #[serde(rename = "clusterIP")]
    pub cluster_ip: IpAddr,
    pub ports: Vec<ServicePort>,
    #[serde(default, rename = "externalIPs")]
    pub external_ips: Vec<IpAddr>,
    #[serde(default)]
    pub lb_ingress: Vec<Ingress>,
    pub external_traffic_policy: Option<String>,
    pub internal_traffic_policy: Option<String>,
    pub health_check_node_port: Option<u16>,
    /// As written by the user; blanks around a range are allowed.
    #[serde(default)]
    pub load_balancer_source_ranges: Vec<String>,
    pub session_affinity: Option<String>,
    pub session_affinity_timeout_seconds: Option<u32>,
}

/// A port of a [`Service`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the Kubernetes API documents its fields")]
pub struct ServicePort {
    pub name: String,
    pub port: u16,
    pub protocol: Protocol,
    pub node_port: Option<u16>,
}

/// An entry of `status.loadBalancer.ingress`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the Kubernetes API documents its fields")]
pub struct Ingress {
    pub ip: IpAddr,
}

/// The endpoints at one time, and the packets sent then.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Phase {
    /// What has just happened.
    #[serde(rename = "desc")]
    pub description: String,
    /// All EndpointSlices there are; those of the phase before are gone.
    pub endpoint_slices: Vec<EndpointSlice>,
    /// The packets, each the first of its connection.
    pub packets: Vec<Packet>,
}

/// An EndpointSlice, with the names of the Kubernetes API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(missing_docs, reason = "the Kubernetes API documents its fields")]
pub struct EndpointSlice {
    #[serde(rename = "ns")]
    pub namespace: String,
    pub name: String,
    /// Label `kubernetes.io/service-name`.
    pub service: String,
    pub address_type: String,
    pub ports: Vec<EndpointPort>,
    pub endpoints: Vec<Endpoint>,
}

/// A port of an [`EndpointSlice`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the Kubernetes API documents its fields")]
pub struct EndpointPort {
    pub name: String,
    pub port: u16,
    pub protocol: Protocol,
}

/// An endpoint of an [`EndpointSlice`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Its only address.
    pub ip: IpAddr,
    /// Name of its node.
    pub node: String,
    /// Its conditions, all unset if left out.
    #[serde(default)]
    pub conditions: Conditions,
    /// `hints.forZones`.
    #[serde(default)]
    pub zones: Vec<String>,
}

/// Conditions of an [`Endpoint`]; none stands for unset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the Kubernetes API documents its fields")]
pub struct Conditions {
    pub ready: Option<bool>,
    pub serving: Option<bool>,
    pub terminating: Option<bool>,
}

/// The first packet of a connection, and what must become of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Packet {
    /// Who sends it where.
    #[serde(rename = "desc")]
    pub description: String,
    /// Source address.
    #[serde(rename = "src")]
    pub source: IpAddr,
    /// Its protocol.
    #[serde(rename = "proto")]
    pub protocol: Protocol,
    /// Destination address.
    #[serde(rename = "dst")]
    pub destination: IpAddr,
    /// Destination port.
    #[serde(rename = "dport")]
    pub port: u16,
    /// What must become of it.
    #[serde(rename = "outcome")]
    pub expected: Expected,
    /// The endpoints that must be chosen in turn, if it is translated.
    pub endpoints: Vec<SocketAddr>,
    /// Whether they must see a node address as its source, and not the original one.
    #[serde(rename = "masq")]
    pub masqueraded: bool,
}

/// What must become of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Expected {
    /// It is translated to an endpoint.
    Dnat,
    /// Its sender is told at once: by ICMP port unreachable, or by a reset if it is TCP, which
    /// the client cannot tell from the other and which no kernel limit turns into silence.
    Reject,
    /// It disappears.
    Drop,
    /// It goes where it would go on a node without services.
    Untouched,
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let destination = SocketAddr::new(self.destination, self.port);
        let Self { description, source, protocol, .. } = self;
        write!(f, "{description} ({protocol} from {source} to {destination})")
    }
}
