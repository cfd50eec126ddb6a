//! What the cluster says: the fields of Kubernetes objects that a service proxy reads.
//!
//! `watch` fills these types and has already refused what cannot be read: addresses are
//! canonical, protocols known, ports non-zero. Everything else is decided in this crate.

mod endpoint_slice;
mod family;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use self::endpoint_slice::{Conditions, Endpoint, EndpointPort, EndpointSlice, Hints};
pub use self::family::{Family, Protocol};
use crate::endpoint_gone::WhenEndpointGone;
use crate::ipvs_scheduler::IpvsScheduler;

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

    /// Every address that it names, whether or not it can have it.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let Service { cluster_ips, external_ips, load_balancer_ips, .. } = self;
        cluster_ips.iter().chain(external_ips).chain(load_balancer_ips).copied()
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
