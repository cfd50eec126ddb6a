//! Who asks whom.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use portolan_core::{Family, Protocol};

use crate::world::Addresses;

/// The first packet of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Packet {
    pub(crate) source: IpAddr,
    pub(crate) protocol: Protocol,
    pub(crate) destination: SocketAddr,
}

/// Where packets come from, as seen by the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A process in the node's network.
    Node,
    /// A pod of the node.
    LocalPod,
    /// A pod of another node.
    RemotePod,
    /// A host that is not of the cluster.
    Outside,
}

impl Packet {
    /// Its family.
    pub(crate) fn family(&self) -> Family {
        Family::of(self.source)
    }

    /// Where it comes from.
    pub(crate) fn origin(&self) -> Origin {
        let addresses = Addresses::of(self.family());
        if addresses.node.contains(&self.source) || self.source.is_loopback() {
            Origin::Node
        } else if addresses.local_endpoints.contains(&self.source)
            || addresses.local_client == self.source
        {
            Origin::LocalPod
        } else if addresses.remote_client == self.source {
            Origin::RemotePod
        } else {
            Origin::Outside
        }
    }
}

impl Origin {
    /// The interface that its packets come in by; none if they are made on the node.
    pub(crate) fn interface(self) -> &'static str {
        match self {
            Origin::Node => "",
            Origin::LocalPod => "cni0",
            Origin::RemotePod | Origin::Outside => "eth0",
        }
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = match self.origin() {
            Origin::Node => "the node",
            Origin::LocalPod => "a pod of the node",
            Origin::RemotePod => "another node's pod",
            Origin::Outside => "outside",
        };
        write!(f, "{who} {} → {} {}", self.source, self.protocol, self.destination)
    }
}
