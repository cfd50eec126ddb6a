//! What becomes of a packet on this node, and why: for people who wonder.
//!
//! ```text
//!  Question ─ find ─▶ Found ─┬─ choice ─▶ which endpoints, and why not the others
//!                            └─ decide, for each kind of client ─▶ Outcome
//! ```
//!
//! What happens is read off the plans, which are what the backend was given; the objects say
//! only why something is not in them. All of it is looked up when somebody asks. Next to
//! nothing is kept for it: which Services name an address in vain, and which have changed
//! since they were planned.
//!
//! Nothing is guessed. What depends on something that was not said gets an [`Outcome`] for
//! each possibility, and what only the kernel knows (which endpoint is drawn, which one a
//! client keeps) is left open.

mod choice;
mod client;
mod decide;
mod find;
mod near;
mod outcome;
mod service;

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

pub use self::choice::{Choice, LeftOut, Rule, SlicePort, Taken, WhyNot};
pub use self::client::{Client, ClientKind, Origin};
pub use self::near::{Near, NearMiss};
pub use self::outcome::{Chosen, DropReason, Outcome, Pick, RejectReason, SourceReason, Verdict};
pub use self::service::{ServiceExplanation, Unserved};
use crate::Environment;
use crate::backend::{LocalPods, NodePortAddresses};
use crate::endpoint_gone::WhenEndpointGone;
use crate::index::Index;
use crate::model::{Family, ObjectName, Protocol, SessionAffinity};
use crate::plan::Destination;
use crate::problem::Problem;

/// What somebody wants to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// What becomes of a packet.
    Packet(Packet),
    /// What becomes of packets to everything that a Service asks for.
    Service {
        /// The Service.
        name: ObjectName,
        /// Who sends them.
        client: Client,
    },
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Explained {
    /// To [`Question::Packet`].
    Packet(Box<Explanation>),
    /// To [`Question::Service`].
    Service(Box<ServiceExplanation>),
}

/// The packet that begins a connection, or a flow of UDP. Later ones go where it went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packet {
    /// Who sends it. An address, if given, is of the destination's family.
    pub client: Client,
    /// The protocol.
    pub protocol: Protocol,
    /// Where it is sent to.
    pub destination: IpAddr,
    /// The port there, host byte order.
    pub port: u16,
}

/// What the rules depend on besides plans.
#[derive(Clone, Copy, Debug)]
pub struct NodeView<'a> {
    /// What the backend was told of the node.
    pub environment: &'a Environment,
    /// The addresses of this node, as far as they are known. Loopback is always its own.
    pub addresses: &'a [IpAddr],
    /// Whether every connection to a ClusterIP is masqueraded (`--masquerade-all`).
    pub masquerade_all: bool,
    /// The scheduler of Services that choose none, if IPVS balances; `None` for nftables.
    pub ipvs_scheduler: Option<&'a str>,
}

/// What becomes of a packet, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Who sends it, as far as that was said.
    pub client: Client,
    /// The protocol.
    pub protocol: Protocol,
    /// The family.
    pub family: Family,
    /// Where it is sent to; `None`: to any address that takes NodePorts.
    pub destination: Option<IpAddr>,
    /// The port there, host byte order.
    pub port: u16,
    /// How the rules recognise pods of this node.
    pub local_pods: LocalPods,
    /// Which rule it meets.
    pub found: Found,
    /// Services that one might have expected to have it, if none has.
    pub near: Vec<NearMiss>,
    /// What becomes of it. Several only if that depends on what was not said of the client;
    /// then the first one counts that fits.
    pub outcomes: Vec<Outcome>,
}

/// Which rule a packet meets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Found {
    /// A Service has this address and port.
    Frontend(Box<FoundFrontend>),
    /// The address is a ClusterIP of these Services, none of which has this port.
    UnknownPort(Vec<ObjectName>),
    /// No Service has the address, which is in this network of a ServiceCIDR.
    ServiceCidr(IpNet),
    /// The address is this node's own, loopback included.
    ThisNode,
    /// No Service has it.
    Nobody,
}

/// An address and port that a Service has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoundFrontend {
    /// The Service.
    pub service: ObjectName,
    /// The name of its port; empty for a single unnamed port.
    pub port_name: Arc<str>,
    /// What the address is to the Service.
    pub destination: Destination,
    /// Which addresses take NodePorts, if it is one.
    pub node_ports: Option<NodePortAddresses>,
    /// Whether NodePorts are served on loopback too, to this node.
    pub localhost_node_ports: bool,
    /// Other Services that ask for the same and do not get it.
    pub lost: Vec<Problem>,
    /// Whether the traffic policy that counts here is `Local`. `None` where no policy
    /// matters: the Service has no usable endpoint anywhere.
    pub policy_local: Option<bool>,
    /// If given, only clients in these networks are let in.
    pub source_ranges: Option<Vec<IpNet>>,
    /// Keeps a client on one endpoint.
    pub affinity: Option<SessionAffinity>,
    /// What becomes of TCP connections to endpoints that serve no longer.
    pub when_endpoint_gone: WhenEndpointGone,
    /// Which endpoints count, for each pool that an outcome speaks of.
    pub choices: Vec<Choice>,
    /// The Service or its EndpointSlices have changed, and the backend was not given that yet.
    pub pending: bool,
}

impl Index {
    /// Answers a question about the node as [`Index::take_changes`] has planned it last.
    /// Costs as much as the Services and endpoints that the answer speaks of, and as the
    /// Services that have changed since.
    pub fn explain(&self, node: &NodeView<'_>, question: &Question) -> Explained {
        match question {
            Question::Packet(packet) => {
                Explained::Packet(Box::new(find::explain(self, node, packet)))
            }
            Question::Service { name, client } => {
                Explained::Service(Box::new(service::explain(self, node, name, client)))
            }
        }
    }
}

impl NodeView<'_> {
    /// Whether an address is this node's, loopback included.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.addresses.contains(&address)
    }

    /// How pods are recognised in a family.
    pub(crate) fn local_pods(&self, family: Family) -> &LocalPods {
        match family {
            Family::V4 => &self.environment.local_pods_v4,
            Family::V6 => &self.environment.local_pods_v6,
        }
    }

    /// Which addresses take NodePorts in a family.
    pub(crate) fn node_ports(&self, family: Family) -> &NodePortAddresses {
        match family {
            Family::V4 => &self.environment.node_ports_v4,
            Family::V6 => &self.environment.node_ports_v6,
        }
    }

    /// Whether rules serve NodePorts on an address, loopback included.
    pub(crate) fn takes_node_ports(&self, address: IpAddr) -> bool {
        if address.is_loopback() {
            return self.guards(address);
        }
        match self.node_ports(Family::of(address)) {
            NodePortAddresses::Any => self.addresses.contains(&address),
            NodePortAddresses::Listed(listed) => listed.contains(&address),
        }
    }

    /// Whether rules keep the network away from an address: IPv4 loopback, while NodePorts
    /// are served there.
    pub(crate) fn guards(&self, address: IpAddr) -> bool {
        address.is_loopback() && address.is_ipv4() && self.environment.localhost_node_ports
    }
}
