//! The chains that serve frontends.

use portolan_core::Pool;
use portolan_core::backend::LocalPods;

use super::{Chain, FamilySettings, go};
use crate::affinity;
use crate::chain_name::{Draw, EntryKind, Outlet, ServingChain};
use crate::container::Container;
use crate::statement::Statement;

impl FamilySettings {
    /// A chain that serves frontends.
    pub(crate) fn serving_chain(&self, chain: ServingChain) -> Chain {
        let rules = match chain {
            ServingChain::Reject => vec![
                // A reset is not subject to the kernel's limit on ICMP errors.
                vec![Statement::Tcp, Statement::RejectWithReset],
                vec![Statement::Reject],
            ],
            ServingChain::ClusterIp(draw) => {
                let mut rules = self.mark_unless_local_pod();
                rules.extend(self.deliver(EntryKind::Address, Pool::Cluster, draw));
                rules
            }
            ServingChain::External(kind, draw) => {
                let mut rules = vec![vec![self.mark()]];
                rules.extend(self.deliver(kind, Pool::Cluster, draw));
                rules
            }
            ServingChain::ExternalLocal(kind, inside, outside) => {
                self.external_local(kind, inside, outside)
            }
            ServingChain::Allowed(restricted) => vec![
                vec![Statement::ClientIn(Container::SourceRanges), go(restricted.chain())],
                vec![Statement::Drop],
            ],
            ServingChain::ResetStrays(beyond) => vec![
                vec![Statement::BeginsTcp, beyond.chain().map_or(Statement::Drop, go)],
                vec![Statement::Tcp, Statement::RejectWithReset],
            ],
            ServingChain::Balance(kind, pool, Draw { slots, affinity: Some(seconds), .. }) => {
                affinity::rules(kind, pool, slots, seconds)
            }
            ServingChain::Balance(kind, pool, Draw { slots, affinity: None, part }) => vec![
                vec![Statement::Balance { kind, pool, part, slots }],
                // A packet that took its verdict before a transaction may draw a slot that
                // is gone after it. Not translated it would leave for the service's address,
                // and so would the rest of its connection; dropped it is sent again.
                vec![Statement::Drop],
            ],
        };
        Chain { name: chain.to_string(), base: None, rules }
    }

    /// Pods and this node get the whole cluster, as if they had come in through the load
    /// balancer; everyone else is confined to this node.
    fn external_local(
        &self,
        kind: EntryKind,
        inside: Outlet,
        outside: Outlet,
    ) -> Vec<Vec<Statement>> {
        // IPVS has one set of destinations for an address. Where both sides are balanced,
        // it is that of the outside.
        let both = matches!((inside, outside), (Outlet::Balance(_), Outlet::Balance(_)));
        let inside = match inside {
            Outlet::Balance(draw) if both => vec![vec![balance(kind, Pool::Cluster, draw)]],
            outlet => self.end(kind, Pool::Cluster, outlet),
        };
        let mut rules = Vec::new();
        if let Some(pods) = self.match_local_pods() {
            rules.extend(inside.iter().map(|end| [pods.clone(), end.clone()].concat()));
        }
        rules.push(vec![Statement::SourceIsLocal, self.mark()]);
        let this_node = |end: Vec<Statement>| [vec![Statement::SourceIsLocal], end].concat();
        rules.extend(inside.into_iter().map(this_node));
        rules.extend(self.end(kind, Pool::Local, outside));
        rules
    }

    fn end(&self, kind: EntryKind, pool: Pool, outlet: Outlet) -> Vec<Vec<Statement>> {
        match outlet {
            Outlet::Balance(draw) => self.deliver(kind, pool, draw),
            Outlet::Reject => vec![vec![go(ServingChain::Reject)]],
            Outlet::Drop => vec![vec![Statement::Drop]],
        }
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
}

/// The end of a connection that our maps balance.
pub(super) fn balance(kind: EntryKind, pool: Pool, draw: Draw) -> Statement {
    go(ServingChain::Balance(kind, pool, draw))
}
