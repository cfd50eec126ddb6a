//! The chains and rules of a table: what stays the same however many services there are.
//!
//! ```text
//!  nat-prerouting ┐                ┌▶ cluster-ip-N ─────────┐
//!  nat-output     ┴▶ services ─────┼▶ external-N ───────────┼▶ balance-N ▶ dnat
//!                    (dispatch)    ├▶ external-local-N-M ───┴▶ balance-local-M ▶ dnat
//!                                  ├▶ allowed-… ▶ external-…       source ranges
//!                                  └▶ reject-connection
//!  nat-postrouting ▶ masquerade-connection: what is marked, and endpoints that call themselves
//! ```
//!
//! Rejecting and dropping happens in the same place as balancing, before routing: one
//! look-up per connection, and an answer even where no route leads to the address. The
//! kernel has allowed `reject` in prerouting since 5.9.

mod loopback;
mod source_translation;

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_core::{Environment, Family, Pool};
use portolan_netlink::nftables::{BaseChain, ChainKind, Hook, Policy};

use self::loopback::{guard_loopback, loopback};
use crate::NftOptions;
use crate::affinity;
use crate::chain_name::{Draw, EntryKind, Outlet, ServingChain};
use crate::container::Container;
use crate::statement::Statement;

/// The chain where every new connection is looked up.
const DISPATCH: &str = "services";

/// Destination translation of what comes in. `dstnat` in nft.
const PREROUTING_PRIORITY: i32 = -100;

/// Destination translation of what this node sends. Not -100: nft 1.1 prints that as
/// `dstnat`, which nft 1.0 refuses to load for an output chain. No nft has a name here.
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
        let mut chains = vec![
            self.base("nat-prerouting", Hook::Prerouting, PREROUTING_PRIORITY, to_dispatch()),
            self.base("nat-output", Hook::Output, OUTPUT_PRIORITY, self.output()),
            self.base(
                "nat-postrouting",
                Hook::Postrouting,
                POSTROUTING_PRIORITY,
                self.postrouting(),
            ),
            Chain { name: DISPATCH.to_owned(), base: None, rules: self.dispatch() },
            self.masquerade(),
            self.serving_chain(ServingChain::Reject),
        ];
        chains.extend(self.localhost_node_ports.then(guard_loopback));
        chains
    }

    /// A chain that serves frontends.
    pub(crate) fn serving_chain(&self, chain: ServingChain) -> Chain {
        let balance = |kind, pool, draw| go(ServingChain::Balance(kind, pool, draw));
        let rules = match chain {
            ServingChain::Reject => vec![
                // A reset is not subject to the kernel's limit on ICMP errors.
                vec![Statement::Tcp, Statement::RejectWithReset],
                vec![Statement::Reject],
            ],
            ServingChain::ClusterIp(draw) => {
                let mut rules = self.mark_unless_local_pod();
                rules.push(vec![balance(EntryKind::Address, Pool::Cluster, draw)]);
                rules
            }
            ServingChain::External(kind, draw) => {
                vec![vec![self.mark()], vec![balance(kind, Pool::Cluster, draw)]]
            }
            ServingChain::ExternalLocal(kind, inside, outside) => {
                self.external_local(kind, inside, outside)
            }
            ServingChain::Allowed(restricted) => vec![
                vec![Statement::ClientIn(Container::SourceRanges), go(restricted.chain())],
                vec![Statement::Drop],
            ],
            ServingChain::Balance(kind, pool, Draw { slots, affinity: Some(seconds) }) => {
                affinity::rules(kind, pool, slots, seconds)
            }
            ServingChain::Balance(kind, pool, Draw { slots, affinity: None }) => vec![
                vec![Statement::Balance { kind, pool, slots }],
                // A packet that took its verdict before a transaction may draw a slot that
                // is gone after it. Not translated it would leave for the service's address,
                // and so would the rest of its connection; dropped it is sent again.
                vec![Statement::Drop],
            ],
        };
        Chain { name: chain.to_string(), base: None, rules }
    }

    fn base(&self, name: &str, hook: Hook, priority: i32, rules: Vec<Vec<Statement>>) -> Chain {
        let base = BaseChain { kind: ChainKind::Nat, hook, priority, policy: Policy::Accept };
        Chain { name: name.to_owned(), base: Some(base), rules }
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

    /// Pods and this node get the whole cluster, as if they had come in through the load
    /// balancer; everyone else is confined to this node.
    fn external_local(
        &self,
        kind: EntryKind,
        inside: Outlet,
        outside: Outlet,
    ) -> Vec<Vec<Statement>> {
        let inside = end(kind, Pool::Cluster, inside);
        let mut rules = Vec::new();
        if let Some(pods) = self.match_local_pods() {
            rules.push(pods.into_iter().chain([inside.clone()]).collect());
        }
        rules.push(vec![Statement::SourceIsLocal, self.mark()]);
        rules.push(vec![Statement::SourceIsLocal, inside]);
        rules.push(vec![end(kind, Pool::Local, outside)]);
        rules
    }

    fn mark(&self) -> Statement {
        Statement::Mark(self.mark)
    }

    /// The match for local pods, if they can be recognised.
    fn match_local_pods(&self) -> Option<Vec<Statement>> {
        Some(match &self.local_pods {
            LocalPods::Unknown => return None,
            // Every source is a pod: a match on nothing.
            LocalPods::Source(net) if net.prefix_len() == 0 => Vec::new(),
            LocalPods::Source(net) => {
                vec![Statement::Source { net: net.trunc(), negated: false }]
            }
            LocalPods::Interface(name) => vec![self.interface(name, false, false)],
            LocalPods::InterfacePrefix(name) => vec![self.interface(name, true, false)],
        })
    }

    fn mark_unless_local_pod(&self) -> Vec<Vec<Statement>> {
        if self.masquerade_all {
            return vec![vec![self.mark()]];
        }
        let others = match &self.local_pods {
            LocalPods::Unknown => return Vec::new(),
            LocalPods::Source(net) if net.prefix_len() == 0 => return Vec::new(),
            LocalPods::Source(net) => Statement::Source { net: net.trunc(), negated: true },
            LocalPods::Interface(name) => self.interface(name, false, true),
            LocalPods::InterfacePrefix(name) => self.interface(name, true, true),
        };
        vec![vec![others, self.mark()]]
    }

    fn interface(&self, name: &str, prefix: bool, negated: bool) -> Statement {
        Statement::InputInterface { name: name.to_owned(), prefix, negated }
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

fn end(kind: EntryKind, pool: Pool, outlet: Outlet) -> Statement {
    match outlet {
        Outlet::Balance(draw) => go(ServingChain::Balance(kind, pool, draw)),
        Outlet::Reject => go(ServingChain::Reject),
        Outlet::Drop => Statement::Drop,
    }
}
