use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::{LabError, Protocol, Topology};

/// Which hosts, addresses and servers a [`Topology`] has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopologySpec {
    /// Addresses of the node's `eth0`. The first of each family is the node's main one.
    pub node_addresses: Vec<IpNet>,
    /// Pods on the node, each with its addresses (at most one per family is usual).
    pub pods: BTreeSet<Vec<IpAddr>>,
    /// Pods on other nodes.
    pub remote_pods: BTreeSet<IpAddr>,
    /// Hosts outside the cluster.
    pub clients: BTreeSet<IpAddr>,
    /// Servers on any of these addresses, or on the node's.
    pub servers: BTreeSet<Server>,
}

/// A server that tells who asked whom, see [`Topology::serve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Server {
    /// An address of the host that it runs on.
    pub address: IpAddr,
    /// Its protocol.
    pub protocol: Protocol,
    /// Its port, in host byte order.
    pub port: u16,
}

impl Default for TopologySpec {
    /// A dual-stack node with the addresses that the packet scenarios give it, alone.
    fn default() -> Self {
        Self {
            node_addresses: vec![
                v4([192, 168, 0, 2]),
                v4([192, 168, 1, 2]),
                v4([192, 168, 99, 11]),
                v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]),
                v6([0x2001, 0xdb8, 1, 0, 0, 0, 0, 2]),
            ],
            pods: BTreeSet::new(),
            remote_pods: BTreeSet::new(),
            clients: BTreeSet::new(),
            servers: BTreeSet::new(),
        }
    }
}

impl TopologySpec {
    /// Adds a pod with one address to the node.
    #[must_use]
    pub fn pod(mut self, address: impl Into<IpAddr>) -> Self {
        self.pods.insert(vec![address.into()]);
        self
    }

    /// Adds a pod on another node.
    #[must_use]
    pub fn remote_pod(mut self, address: impl Into<IpAddr>) -> Self {
        self.remote_pods.insert(address.into());
        self
    }

    /// Adds a host outside the cluster.
    #[must_use]
    pub fn client(mut self, address: impl Into<IpAddr>) -> Self {
        self.clients.insert(address.into());
        self
    }

    /// Adds a server to the host with this address.
    #[must_use]
    pub fn server(mut self, address: impl Into<IpAddr>, protocol: Protocol, port: u16) -> Self {
        self.servers.insert(Server { address: address.into(), protocol, port });
        self
    }

    /// Builds it.
    ///
    /// # Errors
    ///
    /// See [`Topology::build`].
    pub fn build(&self) -> Result<Topology, LabError> {
        Topology::build(self)
    }
}

fn v4(octets: [u8; 4]) -> IpNet {
    Ipv4Net::new_assert(octets.into(), 24).into()
}

fn v6(segments: [u16; 8]) -> IpNet {
    Ipv6Net::new_assert(segments.into(), 64).into()
}
