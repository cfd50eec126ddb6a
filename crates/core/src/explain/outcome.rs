//! What becomes of packets.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::client::Origin;
use crate::plan::{EndpointAddress, Pool};

/// What becomes of the packets of some clients.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Whose packets, among the clients that fit what was said.
    pub clients: Vec<Origin>,
    /// Only of those that are not in the source ranges, if `Some(false)`, or that are, if
    /// `Some(true)`. `None` where that is known, or does not matter.
    pub in_source_ranges: Option<bool>,
    /// What becomes of them.
    pub verdict: Verdict,
}

/// What becomes of a packet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// It goes to one of these endpoints.
    Balance {
        /// Which endpoints those are.
        pool: Pool,
        /// The endpoints. Not empty.
        endpoints: Vec<Chosen>,
        /// Why the source is translated or not, where an endpoint has no reason of its own.
        source: SourceReason,
        /// How one of them is chosen.
        pick: Pick,
    },
    /// The rules let it pass; the agent listens there and relays the connection to one of
    /// these endpoints, with a source address of this node.
    Relay {
        /// The endpoints. Not empty.
        endpoints: Vec<EndpointAddress>,
    },
    /// The client is told at once: TCP by a reset, else by ICMP.
    Reject(RejectReason),
    /// Nobody answers.
    Drop(DropReason),
    /// Portolan leaves it alone: it goes where the routes of the node lead.
    Pass,
}

/// An endpoint that a packet may go to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chosen {
    /// The endpoint.
    pub address: EndpointAddress,
    /// Whether it sees an address of this node instead of the client's.
    pub masqueraded: bool,
    /// Why that is so here and not with the others.
    pub because: Option<SourceReason>,
    /// Masqueraded all the same if this endpoint is the client, which was not said.
    pub unless_itself: bool,
}

/// Why the source of a connection is translated, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceReason {
    /// Kept: a pod of this node, at a ClusterIP.
    LocalPod,
    /// Kept: nothing says how pods of this node are recognised, so nobody is masqueraded at
    /// a ClusterIP.
    PodsUnknown,
    /// Kept: `externalTrafficPolicy: Local` keeps it for all but this node itself.
    PolicyLocal,
    /// Kept: the endpoint has an address of this node, and what is delivered here leaves the
    /// node nowhere.
    DeliveredHere,
    /// Masqueraded: not a pod of this node, at a ClusterIP.
    NotLocalPod,
    /// Masqueraded: `--masquerade-all`, at a ClusterIP.
    MasqueradeAll,
    /// Masqueraded: from outside, and answers must come back through this node
    /// (`externalTrafficPolicy: Cluster`).
    PolicyCluster,
    /// Masqueraded: this node itself, whose source would be the address that it asks.
    ThisNode,
    /// Masqueraded: an endpoint that calls itself.
    CallsItself,
}

impl SourceReason {
    /// Whether the source is translated.
    pub fn masquerades(self) -> bool {
        match self {
            SourceReason::LocalPod
            | SourceReason::PodsUnknown
            | SourceReason::PolicyLocal
            | SourceReason::DeliveredHere => false,
            SourceReason::NotLocalPod
            | SourceReason::MasqueradeAll
            | SourceReason::PolicyCluster
            | SourceReason::ThisNode
            | SourceReason::CallsItself => true,
        }
    }
}

/// How one of several endpoints is chosen. Which one it will be is not known here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pick {
    /// Each with equal probability.
    Random,
    /// By a scheduler of IPVS, if the kernel has it, else by that of the node.
    Scheduler(String),
}

/// Why a client is told that there is nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RejectReason {
    /// The Service has no usable endpoint anywhere.
    NoEndpoint,
    /// The address is a ClusterIP, and its Services do not have this port.
    UnknownPort,
}

/// Why a packet is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DropReason {
    /// The client is not in `spec.loadBalancerSourceRanges`.
    SourceRanges,
    /// The policy `Local` allows endpoints of this node only, and it has none. Others do.
    NoLocalEndpoint,
    /// The address is in this network of a ServiceCIDR, and no Service has it.
    ServiceCidr(IpNet),
    /// It comes from the network, to a loopback address.
    Loopback,
}
