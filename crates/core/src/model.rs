//! What the cluster says: the fields of Kubernetes objects that a service proxy reads.
//!
//! `watch` fills these types and has already refused what cannot be read: addresses are
//! canonical, protocols known, ports non-zero. Everything else is decided in this crate.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::endpoint_gone::WhenEndpointGone;
use crate::ipvs_scheduler::IpvsScheduler;

/// An address family. Every port of a service is planned once per family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Family {
    /// IPv4.
    #[serde(rename = "IPv4")]
    V4,
    /// IPv6.
    #[serde(rename = "IPv6")]
    V6,
}

impl Family {
    /// Both families, in the order in which they are planned and printed.
    pub const BOTH: [Family; 2] = [Family::V4, Family::V6];

    /// The family of an address.
    pub fn of(address: IpAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    /// The family of a network.
    pub fn of_net(net: &IpNet) -> Family {
        Family::of(net.addr())
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        })
    }
}

/// A transport protocol that a Service can name (`v1.Protocol`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Protocol {
    /// TCP.
    #[serde(rename = "TCP")]
    Tcp,
    /// UDP.
    #[serde(rename = "UDP")]
    Udp,
    /// SCTP.
    #[serde(rename = "SCTP")]
    Sctp,
}

impl Protocol {
    /// All protocols that the Service API knows.
    pub const ALL: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];

    /// The IP protocol number (IANA; `IPPROTO_*` in `linux/in.h`).
    pub const fn number(self) -> u8 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Sctp => 132,
        }
    }

    /// The protocol of an IP protocol number, if the Service API knows it.
    pub const fn from_number(number: u8) -> Option<Protocol> {
        match number {
            6 => Some(Protocol::Tcp),
            17 => Some(Protocol::Udp),
            132 => Some(Protocol::Sctp),
            _ => None,
        }
    }

    /// The lower-case name, as nft and `/etc/protocols` write it.
    pub const fn lower_case(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
            Protocol::Sctp => "SCTP",
        })
    }
}

/// Namespace and name of an object. Cheap to clone; printed as `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectName {
    /// The namespace; empty for objects that have none.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl ObjectName {
    /// A name in a namespace.
    pub fn new(namespace: &str, name: &str) -> ObjectName {
        ObjectName { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// `Service.spec.type`, of which only a few consequences matter to a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceType {
    /// `ClusterIP`, also when the field is absent.
    #[default]
    ClusterIP,
    /// `NodePort`.
    NodePort,
    /// `LoadBalancer`.
    LoadBalancer,
    /// `ExternalName`: never planned, even if it has a ClusterIP.
    ExternalName,
}

/// `sessionAffinity: ClientIP` with its timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionAffinity {
    /// `sessionAffinityConfig.clientIP.timeoutSeconds`; the API's default is 10800.
    pub timeout_seconds: u32,
}

/// The part of a `v1.Service` that a service proxy reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Namespace and name.
    pub name: ObjectName,
    /// `metadata.creationTimestamp` in seconds since the Unix epoch; `None` counts as newest.
    /// Settles which of two services has an address, protocol and port that both claim and
    /// that is the ClusterIP of both or of neither.
    pub created: Option<i64>,
    /// `spec.type`.
    pub service_type: ServiceType,
    /// At most one ClusterIP per family. Empty: headless, nothing to plan.
    pub cluster_ips: Vec<IpAddr>,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
    /// `spec.externalIPs`, both families.
    pub external_ips: Vec<IpAddr>,
    /// `status.loadBalancer.ingress[].ip` whose `ipMode` is absent or `VIP`.
    pub load_balancer_ips: Vec<IpAddr>,
    /// `spec.loadBalancerSourceRanges`.
    pub source_ranges: Vec<IpNet>,
    /// `spec.externalTrafficPolicy` is `Local`.
    pub external_policy_local: bool,
    /// `spec.internalTrafficPolicy` is `Local`.
    pub internal_policy_local: bool,
    /// `spec.sessionAffinity` is `ClientIP`.
    pub session_affinity: Option<SessionAffinity>,
    /// `spec.healthCheckNodePort`, if not zero.
    pub health_check_node_port: Option<u16>,
    /// The annotation `portolan.dev/tcp-when-endpoint-gone`.
    pub tcp_when_endpoint_gone: WhenEndpointGone,
    /// The annotation `portolan.dev/ipvs-scheduler`, or kube-router's: how IPVS picks an
    /// endpoint. `None` leaves it to the node.
    pub ipvs_scheduler: Option<IpvsScheduler>,
}

impl Service {
    /// A Service of type ClusterIP that has no address and no port yet.
    pub fn new(name: ObjectName) -> Service {
        Service {
            name,
            created: None,
            service_type: ServiceType::ClusterIP,
            cluster_ips: Vec::new(),
            ports: Vec::new(),
            external_ips: Vec::new(),
            load_balancer_ips: Vec::new(),
            source_ranges: Vec::new(),
            external_policy_local: false,
            internal_policy_local: false,
            session_affinity: None,
            health_check_node_port: None,
            tcp_when_endpoint_gone: WhenEndpointGone::Keep,
            ipvs_scheduler: None,
        }
    }
}

/// One of `Service.spec.ports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// The name; empty for a single unnamed port. Matches [`EndpointPort::name`].
    pub name: Arc<str>,
    /// The protocol. Matches [`EndpointPort::protocol`].
    pub protocol: Protocol,
    /// The port on every address of the service, host byte order, not zero.
    pub port: u16,
    /// The NodePort, if any, host byte order.
    pub node_port: Option<u16>,
}

/// The part of a `discovery.k8s.io/v1` EndpointSlice that a service proxy reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSlice {
    /// Namespace and name of the slice.
    pub name: ObjectName,
    /// The Service named by the label `kubernetes.io/service-name`, same namespace.
    pub service: ObjectName,
    /// `addressType`; FQDN slices never get here.
    pub family: Family,
    /// Ports that have a number; the others are skipped where they are read.
    pub ports: Vec<EndpointPort>,
    /// The endpoints, each with its first address.
    pub endpoints: Vec<Endpoint>,
    /// The annotation `endpoints.kubernetes.io/last-change-trigger-time`, in milliseconds
    /// since the Unix epoch: when the Pod or Service changed that this slice follows. Only
    /// measured, see [`Index::take_triggers`](crate::Index::take_triggers).
    pub trigger_time: Option<i64>,
}

/// One of `EndpointSlice.ports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointPort {
    /// The name; empty if absent.
    pub name: Arc<str>,
    /// The protocol; TCP if absent.
    pub protocol: Protocol,
    /// The number, host byte order, not zero.
    pub port: u16,
}

/// One of `EndpointSlice.endpoints`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `addresses[0]`; the API says that all addresses of an endpoint are alike.
    pub address: IpAddr,
    /// `conditions`, with the API's defaults filled in.
    pub conditions: Conditions,
    /// `nodeName`.
    pub node_name: Option<Arc<str>>,
    /// `hints`, shared because most endpoints of a slice have the same.
    pub hints: Option<Arc<Hints>>,
}

/// `EndpointSlice.endpoints[].conditions` after defaults: an absent `ready` or `serving`
/// is true, an absent `terminating` is false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// Takes new connections.
    pub ready: bool,
    /// Would take connections, whether terminating or not.
    pub serving: bool,
    /// Has a deletion timestamp.
    pub terminating: bool,
}

impl Default for Conditions {
    fn default() -> Conditions {
        Conditions { ready: true, serving: true, terminating: false }
    }
}

/// `EndpointSlice.endpoints[].hints`: where the endpoint should be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// `forZones[].name`.
    pub zones: Vec<Arc<str>>,
    /// `forNodes[].name`.
    pub nodes: Vec<Arc<str>>,
}

/// What this node's `v1.Node` object says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeInfo {
    /// The label `topology.kubernetes.io/zone`, if set and not empty.
    pub zone: Option<Arc<str>>,
    /// `status.addresses`: the first InternalIP, else ExternalIP, of each family.
    pub addresses: Vec<IpAddr>,
    /// `spec.podCIDRs`.
    pub pod_cidrs: Vec<IpNet>,
    /// The node is being removed: it has a deletion timestamp or the taint
    /// `ToBeDeletedByClusterAutoscaler`.
    pub leaving: bool,
}
