//! The chains and rules of a table: what stays the same however many services there are.
//!
//! ```text
//!  nat-prerouting ┐                ┌▶ cluster-ip-N ─────────┐
//!  nat-output     ┴▶ services ─────┼▶ external-N ───────────┼▶ balance-N ▶ dnat
//!                    (dispatch)    ├▶ external-local-N-M ───┴▶ balance-local-M ▶ dnat
//!                                  └▶ reject-connection
//!  nat-postrouting ▶ masquerade what is marked, and endpoints that call themselves
//! ```
//!
//! Rejecting and dropping happens in the same place as balancing, before routing: one
//! look-up per connection, and an answer even where no route leads to the address. The
//! kernel has allowed `reject` in prerouting since 5.9.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_core::{Environment, Family, Pool};
use portolan_netlink::nftables::{BaseChain, ChainKind, Hook, Policy};

use crate::NftOptions;
use crate::chain_name::{EntryKind, Outlet, ServingChain};
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
        vec![
            self.base("nat-prerouting", Hook::Prerouting, PREROUTING_PRIORITY, to_dispatch()),
            self.base("nat-output", Hook::Output, OUTPUT_PRIORITY, to_dispatch()),
            self.base(
                "nat-postrouting",
                Hook::Postrouting,
                POSTROUTING_PRIORITY,
                self.postrouting(),
            ),
            Chain { name: DISPATCH.to_owned(), base: None, rules: self.dispatch() },
            self.serving_chain(ServingChain::Reject),
        ]
    }

    /// A chain that serves frontends.
    pub(crate) fn serving_chain(&self, chain: ServingChain) -> Chain {
        let balance = |kind, pool, count| go(ServingChain::Balance(kind, pool, count));
        let rules = match chain {
            ServingChain::Reject => vec![
                // A reset is not subject to the kernel's limit on ICMP errors.
                vec![Statement::Tcp, Statement::RejectWithReset],
                vec![Statement::Reject],
            ],
            ServingChain::ClusterIp(count) => {
                let mut rules = self.mark_unless_local_pod();
                rules.push(vec![balance(EntryKind::Address, Pool::Cluster, count)]);
                rules
            }
            ServingChain::External(kind, count) => {
                vec![vec![self.mark()], vec![balance(kind, Pool::Cluster, count)]]
            }
            ServingChain::ExternalLocal(kind, inside, outside) => {
                self.external_local(kind, inside, outside)
            }
            ServingChain::Balance(kind, pool, slots) => vec![
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

    fn postrouting(&self) -> Vec<Vec<Statement>> {
        vec![
            vec![Statement::Marked(self.mark), Statement::Unmark(self.mark), Statement::Masquerade],
            vec![
                Statement::Translated,
                Statement::PairIn(Container::Hairpin),
                Statement::Masquerade,
            ],
        ]
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
        let net = match self.family {
            Family::V4 => IpNet::V4(Ipv4Net::new_assert([127, 0, 0, 0].into(), 8)),
            Family::V6 => IpNet::V6(Ipv6Net::new_assert(std::net::Ipv6Addr::LOCALHOST, 128)),
        };
        Statement::Destination { net, negated: true }
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
        Outlet::Balance(count) => go(ServingChain::Balance(kind, pool, count)),
        Outlet::Reject => go(ServingChain::Reject),
        Outlet::Drop => Statement::Drop,
    }
}
