//! The plan: what each address, protocol and port of a service does.
//!
//! A [`ServicePlan`] holds one [`PortPlan`] per service port and family. A port plan has
//! two pools of endpoints and a list of frontends that say which pool serves whom.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::endpoint_gone::WhenEndpointGone;
use crate::health_check::HealthCheck;
use crate::ipvs_scheduler::IpvsScheduler;
use crate::model::{Family, ObjectName, Protocol, SessionAffinity};

/// Everything that a Service makes a node do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePlan {
    /// The Service.
    pub name: ObjectName,
    /// Its ports, by family, protocol and port number.
    pub ports: Vec<PortPlan>,
    /// What load balancers are told of it, if they are to ask. No matter of the backend.
    pub health_check: Option<HealthCheck>,
    /// How IPVS picks an endpoint; `None` leaves it to the node. No matter of nftables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ipvs_scheduler: Option<IpvsScheduler>,
}

/// One port of a Service in one family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortPlan {
    /// The family of every address in this plan.
    pub family: Family,
    /// The protocol.
    pub protocol: Protocol,
    /// The port's name; empty for a single unnamed port.
    pub name: Arc<str>,
    /// The endpoints that the `Cluster` policy balances over: ready ones that fit the
    /// topology hints, else serving and terminating ones. Sorted, no duplicates.
    pub cluster: Vec<EndpointAddress>,
    /// The endpoints that the `Local` policy balances over: on this node, ready, else
    /// serving and terminating. Empty if no frontend uses it. Sorted, no duplicates.
    pub local: Vec<EndpointAddress>,
    /// Addresses of usable endpoints that may run on this node: connections from one of
    /// them to itself need masquerading. Sorted, no duplicates.
    pub hairpin: Vec<IpAddr>,
    /// The endpoints anywhere that serve, ready or terminating, whatever the policies: a flow
    /// may stay with one of them. Empty unless [`PortPlan::needs_serving`]. Sorted, no
    /// duplicates.
    pub serving: Vec<EndpointAddress>,
    /// What becomes of TCP connections to endpoints that serve no longer;
    /// [`WhenEndpointGone::Keep`] in other protocols.
    #[serde(default, skip_serializing_if = "WhenEndpointGone::is_keep")]
    pub when_endpoint_gone: WhenEndpointGone,
    /// Keeps a client on one endpoint.
    pub affinity: Option<SessionAffinity>,
    /// If given, only clients in these networks may use [`Destination::LoadBalancerIp`],
    /// whether or not there are endpoints; an empty list lets nobody in. Of this family,
    /// sorted, none inside another.
    pub source_ranges: Option<Vec<IpNet>>,
    /// Where the port can be reached, and what happens there. Sorted by destination.
    pub frontends: Vec<Frontend>,
}

impl PortPlan {
    /// Whether flows have to be ended whose endpoint serves no longer.
    pub fn needs_serving(&self) -> bool {
        self.when_endpoint_gone.needs_serving(self.protocol)
    }

    /// The endpoints of a pool.
    pub fn pool(&self, pool: Pool) -> &[EndpointAddress] {
        match pool {
            Pool::Cluster => &self.cluster,
            Pool::Local => &self.local,
        }
    }
}

/// Address and port of an endpoint. Displayed as `ip:port` or `[ip]:port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "SocketAddr", from = "SocketAddr")]
pub struct EndpointAddress {
    /// The address.
    pub ip: IpAddr,
    /// The port, host byte order.
    pub port: u16,
}

impl fmt::Display for EndpointAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::from(*self).fmt(f)
    }
}

impl From<EndpointAddress> for SocketAddr {
    fn from(address: EndpointAddress) -> SocketAddr {
        SocketAddr::new(address.ip, address.port)
    }
}

impl From<SocketAddr> for EndpointAddress {
    fn from(address: SocketAddr) -> EndpointAddress {
        EndpointAddress { ip: address.ip(), port: address.port() }
    }
}

/// An address and port that clients connect to, and what happens to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frontend {
    /// The address.
    pub destination: Destination,
    /// The port on that address, host byte order.
    pub port: u16,
    /// What happens to a new connection.
    pub traffic: Traffic,
    /// Whose connections get a source address of this node.
    pub masquerade: Masquerade,
}

/// The address of a frontend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Destination {
    /// `spec.clusterIPs`.
    ClusterIp(IpAddr),
    /// `spec.externalIPs`.
    ExternalIp(IpAddr),
    /// `status.loadBalancer.ingress[].ip`.
    LoadBalancerIp(IpAddr),
    /// Every address of this node that takes NodePorts.
    NodePort,
}

impl Destination {
    /// The address, unless it is the node's.
    pub fn address(self) -> Option<IpAddr> {
        match self {
            Destination::ClusterIp(ip)
            | Destination::ExternalIp(ip)
            | Destination::LoadBalancerIp(ip) => Some(ip),
            Destination::NodePort => None,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address() {
            Some(ip) => ip.fmt(f),
            None => f.write_str("NodePort"),
        }
    }
}

/// What happens to a new connection, by where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Traffic {
    /// The same for every client.
    Everyone(Action),
    /// `externalTrafficPolicy: Local`: pods and this node itself are treated as if their
    /// connection had gone out to the load balancer and come back.
    ByOrigin {
        /// Pods (as the local-traffic detector sees them) and this node.
        inside: Action,
        /// Everyone else.
        outside: Action,
    },
}

/// What happens to a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// It goes to one of the pool's endpoints, each with equal probability. The pool is
    /// not empty.
    Balance(Pool),
    /// The client is told at once: the service has no usable endpoint anywhere.
    Reject,
    /// Silence: the service has usable endpoints, but the policy allows none of them.
    Drop,
}

/// One of the two lists of endpoints of a [`PortPlan`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Pool {
    /// [`PortPlan::cluster`].
    Cluster,
    /// [`PortPlan::local`].
    Local,
}

/// Whose connections to a frontend get a source address of this node, hairpin apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Masquerade {
    /// ClusterIP: all but local pods, as the node's local-traffic detector decides.
    UnlessLocalPod,
    /// External frontends with the `Cluster` policy.
    Always,
    /// External frontends with the `Local` policy: only this node's own connections,
    /// whose source would otherwise be the frontend's address.
    ThisNode,
}

/// A plan that is not what it was. At least one side is present, and they differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The Service.
    pub service: ObjectName,
    /// The plan before; `None` if there was none.
    pub old: Option<Arc<ServicePlan>>,
    /// The plan now; `None` if the service is gone or has nothing to plan.
    pub new: Option<Arc<ServicePlan>>,
}
