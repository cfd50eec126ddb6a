//! The chains that serve frontends. A chain is shared by all frontends that need the same,
//! so there are as many as there are different endpoint counts, not services.

use std::fmt;

use portolan_core::Pool;

/// A chain that elements of `services` and `node-ports` lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ServingChain {
    /// Tells the client that nobody is there.
    Reject,
    /// ClusterIP: masquerades all but local pods, then balances.
    ClusterIp(u32),
    /// External frontend with the `Cluster` policy: masquerades, then balances.
    External(EntryKind, u32),
    /// External frontend with the `Local` policy.
    ExternalLocal(EntryKind, Outlet, Outlet),
    /// Picks one of N slots of a pool and translates the destination.
    Balance(EntryKind, Pool, u32),
}

/// How a frontend is found, and so how its endpoints are keyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum EntryKind {
    /// By destination address, protocol and port.
    Address,
    /// By protocol and port, on any address that takes NodePorts.
    NodePort,
}

/// Where one side of a frontend with the `Local` policy ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Outlet {
    /// At one of so many endpoints; never zero.
    Balance(u32),
    /// At a rejection.
    Reject,
    /// Nowhere, silently.
    Drop,
}

impl ServingChain {
    /// The chains that this one's rules lead to.
    pub(crate) fn successors(self) -> Vec<ServingChain> {
        match self {
            ServingChain::Reject | ServingChain::Balance(..) => Vec::new(),
            ServingChain::ClusterIp(count) => {
                vec![ServingChain::Balance(EntryKind::Address, Pool::Cluster, count)]
            }
            ServingChain::External(kind, count) => {
                vec![ServingChain::Balance(kind, Pool::Cluster, count)]
            }
            ServingChain::ExternalLocal(kind, inside, outside) => {
                [(inside, Pool::Cluster), (outside, Pool::Local)]
                    .into_iter()
                    .filter_map(|(outlet, pool)| match outlet {
                        Outlet::Balance(count) => Some(ServingChain::Balance(kind, pool, count)),
                        Outlet::Reject => Some(ServingChain::Reject),
                        Outlet::Drop => None,
                    })
                    .collect()
            }
        }
    }

    /// The chain of a name, if it is one that this module makes.
    pub(crate) fn from_name(name: &str) -> Option<ServingChain> {
        if name == "reject-connection" {
            return Some(ServingChain::Reject);
        }
        let (kind, rest) = match name.strip_prefix("node-port-") {
            Some(rest) => (EntryKind::NodePort, rest),
            None => (EntryKind::Address, name),
        };
        let chain = if let Some(count) = rest.strip_prefix("cluster-ip-") {
            ServingChain::ClusterIp(count.parse().ok()?)
        } else if let Some(outlets) = rest.strip_prefix("external-local-") {
            let (inside, outside) = outlets.split_once('-')?;
            ServingChain::ExternalLocal(kind, Outlet::parse(inside)?, Outlet::parse(outside)?)
        } else if let Some(count) = rest.strip_prefix("external-") {
            ServingChain::External(kind, count.parse().ok()?)
        } else if let Some(count) = rest.strip_prefix("balance-local-") {
            ServingChain::Balance(kind, Pool::Local, count.parse().ok()?)
        } else {
            let count = rest.strip_prefix("balance-")?;
            ServingChain::Balance(kind, Pool::Cluster, count.parse().ok()?)
        };
        // `balance-03` and the like are not ours.
        (chain.to_string() == name).then_some(chain)
    }
}

impl Outlet {
    fn parse(text: &str) -> Option<Outlet> {
        match text {
            "reject" => Some(Outlet::Reject),
            "drop" => Some(Outlet::Drop),
            count => count.parse().ok().map(Outlet::Balance),
        }
    }
}

impl fmt::Display for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outlet::Balance(count) => count.fmt(f),
            Outlet::Reject => f.write_str("reject"),
            Outlet::Drop => f.write_str("drop"),
        }
    }
}

impl EntryKind {
    const fn prefix(self) -> &'static str {
        match self {
            EntryKind::Address => "",
            EntryKind::NodePort => "node-port-",
        }
    }
}

impl fmt::Display for ServingChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServingChain::Reject => f.write_str("reject-connection"),
            ServingChain::ClusterIp(count) => write!(f, "cluster-ip-{count}"),
            ServingChain::External(kind, count) => write!(f, "{}external-{count}", kind.prefix()),
            ServingChain::ExternalLocal(kind, inside, outside) => {
                write!(f, "{}external-local-{inside}-{outside}", kind.prefix())
            }
            ServingChain::Balance(kind, pool, count) => {
                let local = if *pool == Pool::Local { "local-" } else { "" };
                write!(f, "{}balance-{local}{count}", kind.prefix())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_chain() {
        let mut chains = vec![ServingChain::Reject, ServingChain::ClusterIp(3)];
        for kind in [EntryKind::Address, EntryKind::NodePort] {
            chains.push(ServingChain::External(kind, 12));
            for pool in [Pool::Cluster, Pool::Local] {
                chains.push(ServingChain::Balance(kind, pool, 1));
            }
            for inside in [Outlet::Balance(7), Outlet::Reject, Outlet::Drop] {
                for outside in [Outlet::Balance(2), Outlet::Reject, Outlet::Drop] {
                    chains.push(ServingChain::ExternalLocal(kind, inside, outside));
                }
            }
        }
        for chain in chains {
            assert_eq!(ServingChain::from_name(&chain.to_string()), Some(chain), "{chain}");
        }
        for name in ["services", "balance-", "balance-03", "node-port-cluster-ip-3", "external-x"] {
            assert_eq!(ServingChain::from_name(name), None, "{name}");
        }
    }
}
