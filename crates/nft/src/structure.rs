//! The chains and rules of a table: what stays the same however many services there are.
//!
//! ```text
//!  nat-prerouting ┐                ┌▶ cluster-ip-N ─────────┐
//!  nat-output     ┴▶ services ─────┼▶ external-N ───────────┼▶ balance-N ▶ dnat
//!                    (dispatch)    ├▶ external-local-N-M ───┴▶ balance-local-M ▶ dnat
//!                                  ├▶ allowed-… ▶ external-…       source ranges
//!                                  ├▶ reset-strays-… ▶ cluster-ip-…, external-…
//!                                  └▶ reject-connection
//!  nat-postrouting ▶ masquerade-connection: what is marked, and endpoints that call themselves
//! ```
//!
//! Rejecting and dropping happens in the same place as balancing, before routing: one
//! look-up per connection, and an answer even where no route leads to the address. The
//! kernel has allowed `reject` in prerouting since 5.9.
//!
//! `reset-strays-…` stands before the chains of Services that ask for it, behind `allowed-…`.
//!
//! With IPVS `hand-over` stands where `balance-N` stands; all else is the same.

mod hand_over;
mod loopback;
mod serving;
mod source_translation;

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_core::{Environment, Family};
use portolan_netlink::nftables::{BaseChain, ChainKind, Hook, Policy};

use self::loopback::{guard_loopback, loopback};
use crate::chain_name::{EntryKind, ServingChain};
use crate::container::Container;
use crate::statement::Statement;
use crate::{Ipvs, NftOptions};

/// The chain where every new connection is looked up.
const DISPATCH: &str = "services";

/// Destination translation of what comes in. `dstnat` in nft.
const PREROUTING_PRIORITY: i32 = -100;

/// Destination translation of what this node sends. Not -100: nft 1.1 prints that as
/// `dstnat`, which nft 1.0 refuses to load for an output chain. No nft has a name here. Nat
/// chains are called from -100 all the same, in the order of their priorities
/// (`nf_nat_register_fn`), and so before IPVS looks at what this node sends, at -98.
const OUTPUT_PRIORITY: i32 = -89;

/// Source translation. `srcnat` in nft.
const POSTROUTING_PRIORITY: i32 = 100;

/// A chain as we want it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The name.
    pub(crate) name: String,
    /// Where the kernel calls it, if it does.
    pub(crate) base: Option<BaseChain>,
    /// The rules.
    pub(crate) rules: Vec<Vec<Statement>>,
}

impl Chain {
    /// A chain that the kernel calls at a hook, in the order of a priority. What leaves it at
    /// its end goes on.
    fn base(
        name: &str,
        kind: ChainKind,
        (hook, priority): (Hook, i32),
        rules: Vec<Vec<Statement>>,
    ) -> Chain {
        let base = BaseChain { kind, hook, priority, policy: Policy::Accept };
        Chain { name: name.to_owned(), base: Some(base), rules }
    }
}

/// What the rules of one family's table depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FamilySettings {
    /// The family.
    pub(crate) family: Family,
    /// The mark of connections that postrouting masquerades: one bit.
    pub(crate) mark: u32,
    /// Masquerade every ClusterIP connection.
    pub(crate) masquerade_all: bool,
    /// How local pods are recognised.
    pub(crate) local_pods: LocalPods,
    /// Which addresses take NodePorts.
    pub(crate) node_ports: NodePortAddresses,
    /// NodePorts are served on 127.0.0.0/8 too. Never in IPv6.
    pub(crate) localhost_node_ports: bool,
    /// The source ports of masqueraded connections; `None` for the kernel's choice.
    pub(crate) source_ports: Option<(u16, u16)>,
    /// ServiceCIDRs of this family, merged and sorted.
    pub(crate) service_cidrs: Vec<IpNet>,
    /// What becomes of connections to endpoints.
    pub(crate) ipvs: Ipvs,
    /// The mark of packets and connections that IPVS has: one bit.
    pub(crate) ipvs_mark: u32,
    /// Other marks of connections that IPVS has: any number of bits.
    pub(crate) former_ipvs_marks: u32,
}

impl FamilySettings {
    /// The settings of one family.
    pub(crate) fn new(
        family: Family,
        environment: &Environment,
        options: &NftOptions,
    ) -> FamilySettings {
        let (local_pods, node_ports) = match family {
            Family::V4 => (&environment.local_pods_v4, &environment.node_ports_v4),
            Family::V6 => (&environment.local_pods_v6, &environment.node_ports_v6),
        };
        let mut service_cidrs: Vec<IpNet> = environment
            .service_cidrs
            .iter()
            .filter(|net| Family::of_net(net) == family && net.prefix_len() > 0)
            .map(IpNet::trunc)
            .collect();
        service_cidrs = IpNet::aggregate(&service_cidrs);
        service_cidrs.sort_unstable();
        FamilySettings {
            family,
            mark: 1 << (options.masquerade_bit & 31),
            masquerade_all: options.masquerade_all,
            local_pods: local_pods.clone(),
            node_ports: node_ports.clone(),
            localhost_node_ports: environment.localhost_node_ports && family == Family::V4,
            source_ports: options.masquerade_ports(),
            service_cidrs,
            ipvs: options.ipvs,
            ipvs_mark: 1 << (options.ipvs_bit & 31),
            former_ipvs_marks: options.former_ipvs_marks,
        }
    }

    /// The addresses of this family that take NodePorts, if they are listed.
    pub(crate) fn node_port_addresses(&self) -> BTreeSet<IpAddr> {
        let NodePortAddresses::Listed(addresses) = &self.node_ports else {
            return BTreeSet::new();
        };
        addresses.iter().copied().filter(|ip| Family::of(*ip) == self.family).collect()
    }

    /// The chains that are always there.
    pub(crate) fn fixed_chains(&self) -> Vec<Chain> {
        let nat = |name, place, rules| Chain::base(name, ChainKind::Nat, place, rules);
        let mut chains = vec![
            nat("nat-prerouting", (Hook::Prerouting, PREROUTING_PRIORITY), to_dispatch()),
            nat("nat-output", (Hook::Output, OUTPUT_PRIORITY), self.output()),
            nat("nat-postrouting", (Hook::Postrouting, POSTROUTING_PRIORITY), self.postrouting()),
            Chain { name: DISPATCH.to_owned(), base: None, rules: self.dispatch() },
            self.masquerade(),
            self.serving_chain(ServingChain::Reject),
        ];
        chains.extend(self.localhost_node_ports.then(guard_loopback));
        chains.extend(self.ipvs_chains());
        chains
    }

    fn dispatch(&self) -> Vec<Vec<Statement>> {
        let mut rules = vec![vec![Statement::Dispatch(EntryKind::Address)]];
        let dispatch = Statement::Dispatch(EntryKind::NodePort);
        rules.push(match self.node_ports {
            NodePortAddresses::Any => {
                vec![Statement::DestinationIsLocal, self.not_loopback(), dispatch]
            }
            NodePortAddresses::Listed(_) => {
                vec![Statement::DestinationIn(Container::NodePortIps), dispatch]
            }
        });
        // Whatever a Service claims, this node's own addresses stay its own.
        rules.push(vec![
            Statement::DestinationIn(Container::ClusterIps),
            Statement::DestinationIsRemote,
            go(ServingChain::Reject),
        ]);
        rules.extend(self.service_cidrs.iter().map(|net| {
            let net = Statement::Destination { net: *net, negated: false };
            vec![net, Statement::DestinationIsRemote, Statement::Drop]
        }));
        rules
    }

    /// A process of this node that asks 127.0.0.1 is this node, so every serving chain
    /// masquerades it.
    fn output(&self) -> Vec<Vec<Statement>> {
        let mut rules = to_dispatch();
        if self.localhost_node_ports {
            let localhost = Statement::Destination { net: loopback(self.family), negated: false };
            rules.insert(0, vec![localhost, Statement::Dispatch(EntryKind::NodePort)]);
        }
        rules
    }

    fn not_loopback(&self) -> Statement {
        Statement::Destination { net: loopback(self.family), negated: true }
    }
}

fn to_dispatch() -> Vec<Vec<Statement>> {
    vec![vec![Statement::Goto(DISPATCH.to_owned())]]
}

fn go(chain: ServingChain) -> Statement {
    Statement::Goto(chain.to_string())
}
