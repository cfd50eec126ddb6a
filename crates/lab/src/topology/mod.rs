//! The node under test and everyone who talks to it or through it.

mod spec;
mod wiring;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

pub use self::spec::{Server, TopologySpec};
use self::wiring::MainAddresses;
use crate::traffic::{Listener, Servers};
use crate::{LabError, Namespace, RouteSocket};

/// The node under test, its pods, other nodes' pods and outside clients, with servers that
/// answer. All of it ends when this value is dropped.
///
/// The node has `eth0` to the outside and the pods' bridge `cni0`, forwards both families
/// and has default routes. It has no packet filter or address translation of its own.
#[derive(Debug)]
pub struct Topology {
    // The servers' sockets keep namespaces alive, so they are dropped first.
    servers: Servers,
    node: Namespace,
    outside: Namespace,
    other_nodes: Namespace,
    pods: BTreeMap<u32, Namespace>,
    next_pod: u32,
    main: MainAddresses,
    hosts: BTreeMap<IpAddr, Host>,
}

/// Whose address it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    Node,
    Outside,
    OtherNodes,
    Pod(u32),
}

impl Topology {
    /// Builds what `spec` asks for.
    ///
    /// # Errors
    ///
    /// [`LabError`] outside of namespaces in which the caller has all capabilities (see
    /// [`namespaced`](crate::namespaced)), and for a server whose address nobody has.
    pub fn build(spec: &TopologySpec) -> Result<Self, LabError> {
        let host = |name: &str, forwards| -> Result<Namespace, LabError> {
            let namespace = Namespace::new(name)?;
            namespace.set_up_host(forwards)?;
            Ok(namespace)
        };
        let (node, outside) = (host("the node", true)?, host("the outside", false)?);
        let other_nodes = host("the other nodes", false)?;
        wiring::connect_hosts(&node, &outside, &other_nodes, &spec.node_addresses)?;

        let loopback = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let own = spec.node_addresses.iter().map(IpNet::addr).chain(loopback);
        let mut topology = Self {
            servers: Servers::start()?,
            node,
            outside,
            other_nodes,
            pods: BTreeMap::new(),
            next_pod: 0,
            main: MainAddresses::of(&spec.node_addresses),
            hosts: own.map(|address| (address, Host::Node)).collect(),
        };
        spec.pods.iter().try_for_each(|addresses| topology.add_pod(addresses))?;
        spec.remote_pods.iter().try_for_each(|address| topology.add_remote_pod(*address))?;
        spec.clients.iter().try_for_each(|address| topology.add_client(*address))?;
        spec.servers.iter().try_for_each(|server| topology.serve(*server))?;
        Ok(topology)
    }

    /// Adds a pod with these addresses to the node.
    ///
    /// # Errors
    ///
    /// [`LabError::AddressTaken`], and whatever the kernel refuses.
    pub fn add_pod(&mut self, addresses: &[IpAddr]) -> Result<(), LabError> {
        self.refuse_taken(addresses)?;
        let number = self.next_pod;
        let namespace = Namespace::new(format!("pod {number}"))?;
        namespace.set_up_host(false)?;
        let port = wiring::port(number);
        wiring::connect_pod(&self.node, &namespace, &port, addresses, self.main)?;
        self.next_pod += 1;
        self.pods.insert(number, namespace);
        self.hosts.extend(addresses.iter().map(|address| (*address, Host::Pod(number))));
        Ok(())
    }

    /// Removes the pod that has `address`, its servers and their connections. As on a real
    /// node, its addresses stay routed to `cni0`.
    ///
    /// # Errors
    ///
    /// [`LabError::UnknownAddress`] if it is no pod's on the node.
    pub fn remove_pod(&mut self, address: IpAddr) -> Result<(), LabError> {
        let Some(Host::Pod(number)) = self.hosts.get(&address).copied() else {
            return Err(LabError::UnknownAddress { address });
        };
        let pod = Host::Pod(number);
        self.servers.remove_host(pod)?;
        self.pods.remove(&number);
        let hosts = std::mem::take(&mut self.hosts);
        let (removed, kept): (BTreeMap<_, _>, _) =
            hosts.into_iter().partition(|(_, host)| *host == pod);
        self.hosts = kept;
        self.node.run(|| {
            let route = RouteSocket::open()?;
            // The kernel removes a link whose other end's namespace is gone, but not at once.
            route.delete_link(&wiring::port(number))?;
            removed
                .keys()
                .try_for_each(|address| route.forget_neighbour(wiring::POD_BRIDGE, *address))
        })
    }

    /// Adds a pod on another node.
    ///
    /// # Errors
    ///
    /// [`LabError::AddressTaken`], and whatever the kernel refuses.
    pub fn add_remote_pod(&mut self, address: IpAddr) -> Result<(), LabError> {
        self.refuse_taken(&[address])?;
        wiring::connect_remote_pod(&self.node, &self.other_nodes, address, self.main)?;
        self.hosts.insert(address, Host::OtherNodes);
        Ok(())
    }

    /// Adds a host outside the cluster.
    ///
    /// # Errors
    ///
    /// [`LabError::AddressTaken`], and whatever the kernel refuses.
    pub fn add_client(&mut self, address: IpAddr) -> Result<(), LabError> {
        self.refuse_taken(&[address])?;
        self.outside.run(|| RouteSocket::open()?.add_address(wiring::LAN, address.into()))?;
        self.hosts.insert(address, Host::Outside);
        Ok(())
    }

    /// Gives the node's `eth0` one more address.
    ///
    /// # Errors
    ///
    /// [`LabError::AddressTaken`], and whatever the kernel refuses.
    pub fn add_node_address(&mut self, address: IpNet) -> Result<(), LabError> {
        self.refuse_taken(&[address.addr()])?;
        self.node.run(|| RouteSocket::open()?.add_address(wiring::ETHERNET, address))?;
        self.hosts.insert(address.addr(), Host::Node);
        Ok(())
    }

    /// Takes an address from the node's `eth0`. It must not be a main one, which the other
    /// hosts know the node by.
    ///
    /// # Errors
    ///
    /// [`LabError::Route`] if the node does not have it.
    pub fn remove_node_address(&mut self, address: IpNet) -> Result<(), LabError> {
        self.node.run(|| RouteSocket::open()?.delete_address(wiring::ETHERNET, address))?;
        self.hosts.remove(&address.addr());
        Ok(())
    }

    /// The node under test: the place for agents, rulesets and `conntrack`.
    #[must_use]
    pub fn node(&self) -> &Namespace {
        &self.node
    }

    /// Whether `address` is one of the node's.
    #[must_use]
    pub fn is_node_address(&self, address: IpAddr) -> bool {
        self.hosts.get(&address) == Some(&Host::Node)
    }

    /// Every address of the lab, in order, with the host that has it.
    pub fn hosts(&self) -> impl Iterator<Item = (IpAddr, &Namespace)> {
        self.hosts.keys().filter_map(|address| Some((*address, self.host_of(*address).ok()?)))
    }

    /// The host that has `address`.
    ///
    /// # Errors
    ///
    /// [`LabError::UnknownAddress`] if nobody has it.
    pub fn host_of(&self, address: IpAddr) -> Result<&Namespace, LabError> {
        let unknown = LabError::UnknownAddress { address };
        match self.hosts.get(&address) {
            Some(Host::Node) => Ok(&self.node),
            Some(Host::Outside) => Ok(&self.outside),
            Some(Host::OtherNodes) => Ok(&self.other_nodes),
            Some(Host::Pod(number)) => self.pods.get(number).ok_or(unknown),
            None => Err(unknown),
        }
    }

    /// Starts a server that tells its own address and that of whoever asks. It answers on
    /// all addresses of its host and family. Starting it again changes nothing.
    ///
    /// # Errors
    ///
    /// [`LabError::UnknownAddress`], and [`LabError::System`] if the port is taken by
    /// another program in the host's namespace.
    pub fn serve(&mut self, server: Server) -> Result<(), LabError> {
        let unknown = LabError::UnknownAddress { address: server.address };
        let host = *self.hosts.get(&server.address).ok_or(unknown)?;
        if self.servers.has(host, &server) {
            return Ok(());
        }
        let listener = self.host_of(server.address)?.run(|| Listener::open(&server))?;
        self.servers.add(host, &server, listener)
    }

    fn refuse_taken(&self, addresses: &[IpAddr]) -> Result<(), LabError> {
        match addresses.iter().find(|address| self.hosts.contains_key(address)) {
            Some(address) => Err(LabError::AddressTaken { address: *address }),
            None => Ok(()),
        }
    }
}
