use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;
use serde_json::Value;

use crate::Protocol;

/// All objects at one time, and the proxy's settings.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// The node under test.
    pub this_node: Node,
    /// The proxy's settings.
    pub settings: Settings,
    /// Services by name, all of one namespace.
    #[serde(default)]
    pub services: BTreeMap<String, Service>,
    /// EndpointSlices by name, `SERVICE-SOMETHING` unless they name their Service.
    #[serde(default)]
    pub slices: BTreeMap<String, Slice>,
}

/// The node under test.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// `topology.kubernetes.io/zone`.
    pub zone: Option<String>,
    /// `status.addresses` of this family.
    pub addresses: Vec<IpAddr>,
    /// The addresses of its network interface, of this family.
    pub interface: Vec<IpAddr>,
}

/// What the proxy is told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Networks of the ServiceCIDR objects.
    pub service_cidrs: Vec<IpNet>,
    /// Which addresses of the node take NodePorts.
    pub node_ports: NodePorts,
    /// Source addresses of the node's own pods; none if they cannot be told.
    pub local_pods: Option<IpNet>,
    /// The interface by which the node's own pods are told instead.
    pub pod_interface: Option<String>,
    /// What the names of those interfaces begin with.
    pub pod_interface_prefix: Option<String>,
    /// Masquerade all connections to ClusterIPs; must not change.
    #[serde(default)]
    pub masquerade_all: bool,
    /// Serve NodePorts on loopback addresses.
    #[serde(default)]
    pub localhost_node_ports: bool,
}

/// Which addresses of the node take NodePorts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodePorts {
    /// Those that the Node object names.
    Primary,
    /// All.
    Any,
    /// Those of its interface in these networks.
    Networks(Vec<IpNet>),
}

/// A Service. What is left out there is none here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the Kubernetes API documents its fields")]
pub struct Service {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub cluster_ip: Option<IpAddr>,
    /// By name; if left out, port 80 of TCP under the name `http`.
    #[serde(default = "default_port")]
    pub ports: BTreeMap<String, Port>,
    #[serde(default)]
    pub external_ips: Vec<IpAddr>,
    /// Addresses of `status.loadBalancer.ingress` with their mode.
    #[serde(default)]
    pub load_balancer: BTreeMap<IpAddr, IpMode>,
    #[serde(default)]
    pub source_ranges: Vec<IpNet>,
    #[serde(default)]
    pub external_policy: Policy,
    #[serde(default)]
    pub internal_policy: Policy,
    /// Seconds for which a client keeps its endpoint.
    pub affinity: Option<u32>,
    /// Seconds since the epoch.
    pub created: Option<i64>,
}

/// `ipMode` of a load balancer's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the Kubernetes API documents its values")]
pub enum IpMode {
    #[serde(rename = "VIP")]
    Vip,
    Proxy,
}

/// A traffic policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[expect(missing_docs, reason = "the Kubernetes API documents its values")]
pub enum Policy {
    #[default]
    Cluster,
    Local,
}

/// A port of a [`Service`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the Kubernetes API documents its fields")]
pub struct Port {
    #[serde(default = "http")]
    pub port: u16,
    #[serde(default = "tcp")]
    pub protocol: Protocol,
    pub node_port: Option<u16>,
}

/// An EndpointSlice of the sequence's family.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slice {
    /// The Service; if left out, the slice's name up to its last hyphen.
    pub service: Option<String>,
    /// By name; if left out, port 8080 of TCP under the name `http`.
    #[serde(default = "default_target_port")]
    pub ports: BTreeMap<String, TargetPort>,
    /// By address.
    #[serde(default)]
    pub endpoints: BTreeMap<IpAddr, Endpoint>,
}

/// A port of a [`Slice`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the Kubernetes API documents its fields")]
pub struct TargetPort {
    #[serde(default = "target_port")]
    pub port: u16,
    #[serde(default = "tcp")]
    pub protocol: Protocol,
}

/// An endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// `nodeName`; if left out, the node that the pod is on. Empty for none.
    pub node_name: Option<String>,
    /// `conditions.ready`.
    pub ready: Option<bool>,
    /// `conditions.serving`.
    pub serving: Option<bool>,
    /// `conditions.terminating`.
    pub terminating: Option<bool>,
    /// `hints.forZones`.
    #[serde(default)]
    pub zones: Vec<String>,
    /// `hints.forNodes`.
    #[serde(default)]
    pub nodes: Vec<String>,
}

/// What every sequence starts with.
pub(super) fn beginning() -> Value {
    serde_json::json!({
        "this_node": {"zone": "east", "addresses": ["node"], "interface": ["node", "node-2"]},
        "settings": {
            "service_cidrs": ["service-cidr"],
            "node_ports": "primary",
            "local_pods": "pod-network",
        },
    })
}

pub(super) fn http() -> u16 {
    80
}

pub(super) fn target_port() -> u16 {
    8080
}

pub(super) fn tcp() -> Protocol {
    Protocol::Tcp
}

fn default_port() -> BTreeMap<String, Port> {
    let port = Port { port: http(), protocol: tcp(), node_port: None };
    [("http".to_owned(), port)].into()
}

fn default_target_port() -> BTreeMap<String, TargetPort> {
    let port = TargetPort { port: target_port(), protocol: tcp() };
    [("http".to_owned(), port)].into()
}
