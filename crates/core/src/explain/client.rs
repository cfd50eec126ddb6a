//! Who sends a packet, as far as it was said, and what the rules make of it.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::NodeView;
use crate::backend::LocalPods;
use crate::model::Family;

/// Who sends a packet. What is not said is not assumed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Where it is.
    pub kind: Option<ClientKind>,
    /// Its address.
    pub address: Option<IpAddr>,
    /// The interface of this node that its packets come in by.
    pub interface: Option<String>,
}

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClientKind {
    /// A pod of this node that has a network of its own. Unless its address or interface
    /// says otherwise it is taken to be recognised, if there is a way.
    Pod,
    /// A process in this node's network.
    Node,
    /// Neither: another node, its pods, or a host outside of the cluster. Unless its address
    /// or interface says otherwise it is taken not to be recognised as a pod of this node.
    Outside,
}

/// Clients that the rules do not tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// They are recognised as pods of this node.
    pub local_pod: bool,
    /// They are this node.
    pub node: bool,
}

/// What is known of the client of one packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sender<'a> {
    node: &'a NodeView<'a>,
    client: &'a Client,
    family: Family,
}

impl<'a> Sender<'a> {
    pub(super) fn new(node: &'a NodeView<'a>, client: &'a Client, family: Family) -> Sender<'a> {
        Sender { node, client, family }
    }

    /// Everything that the client may be to the rules: pods, then this node, then others.
    pub(super) fn origins(&self) -> Vec<Origin> {
        const BOTH: [bool; 2] = [true, false];
        let is_node = self.is_node();
        let mut origins: Vec<Origin> = Vec::new();
        for local_pod in BOTH {
            for node in BOTH.into_iter().filter(|it| is_node.is_none_or(|known| known == *it)) {
                if self.is_local_pod(node).is_none_or(|known| known == local_pod) {
                    origins.push(Origin { local_pod, node });
                }
            }
        }
        origins
    }

    /// The address that its packets have, if that is known.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.client.address
    }

    /// Whether it is in one of these networks. `None` if that is not known.
    pub(super) fn is_in(&self, networks: &[IpNet], is_node: bool) -> Option<bool> {
        let admits = |it: &IpAddr| networks.iter().any(|network| network.contains(it));
        if networks.is_empty() {
            return Some(false);
        }
        if networks.iter().any(|network| network.prefix_len() == 0) {
            return Some(true);
        }
        match self.address() {
            Some(address) => Some(admits(&address)),
            None if is_node => agreed(self.own_addresses().map(|it| admits(&it))),
            None => None,
        }
    }

    /// Whether it may have an address of an endpoint on this node, although nobody said so.
    pub(super) fn may_be(&self, address: IpAddr, origin: Origin) -> bool {
        let is_here = self.node.has(address);
        let is_possible = match self.client.kind {
            Some(ClientKind::Pod) => !is_here,
            Some(ClientKind::Node) => is_here,
            Some(ClientKind::Outside) => false,
            None => true,
        };
        let fits = match self.node.local_pods(self.family) {
            LocalPods::Source(network) => network.contains(&address) == origin.local_pod,
            LocalPods::Unknown | LocalPods::Interface(_) | LocalPods::InterfacePrefix(_) => true,
        };
        self.client.address.is_none() && is_possible && fits
    }

    fn is_node(&self) -> Option<bool> {
        match (self.client.kind, self.client.address, &self.client.interface) {
            (Some(kind), _, _) => Some(kind == ClientKind::Node),
            (None, Some(address), _) => Some(self.node.has(address)),
            (None, None, Some(_)) => Some(false),
            (None, None, None) => None,
        }
    }

    fn is_local_pod(&self, is_node: bool) -> Option<bool> {
        match self.node.local_pods(self.family) {
            LocalPods::Unknown => Some(false),
            LocalPods::Source(network) => {
                let known = self.is_in(std::slice::from_ref(network), is_node);
                known.or_else(|| self.is_said_to_be_pod().filter(|_| !is_node))
            }
            LocalPods::Interface(name) => self.comes_in(is_node, |it| it == name),
            LocalPods::InterfacePrefix(prefix) => {
                self.comes_in(is_node, |it| it.starts_with(prefix.as_str()))
            }
        }
    }

    /// What the node sends comes in by no interface.
    fn comes_in(&self, is_node: bool, by: impl Fn(&str) -> bool) -> Option<bool> {
        if is_node {
            return Some(false);
        }
        match &self.client.interface {
            Some(interface) => Some(by(interface)),
            None => self.is_said_to_be_pod(),
        }
    }

    fn is_said_to_be_pod(&self) -> Option<bool> {
        self.client.kind.map(|kind| kind == ClientKind::Pod)
    }

    fn own_addresses(&self) -> impl Iterator<Item = IpAddr> {
        let own = self.node.addresses.iter().copied();
        own.filter(|it| Family::of(*it) == self.family && !it.is_loopback())
    }
}

/// What all say; `None` if they do not agree, or if nobody says anything.
fn agreed(mut answers: impl Iterator<Item = bool>) -> Option<bool> {
    let first = answers.next()?;
    answers.all(|answer| answer == first).then_some(first)
}
