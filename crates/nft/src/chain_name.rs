//! The chains that serve frontends. A chain is shared by all frontends that need the same, so how
//! many there are follows the different endpoint counts in each part of the map of endpoints, not
//! the services.

mod strays;
#[cfg(test)]
mod tests;
mod text;

use portolan_core::Pool;

pub(crate) use self::strays::Beyond;

/// A chain that elements of `services` and `node-ports` lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ServingChain {
    /// Tells the client that nobody is there.
    Reject,
    /// ClusterIP: masquerades all but local pods, then balances.
    ClusterIp(Draw),
    /// External frontend with the `Cluster` policy: masquerades, then balances.
    External(EntryKind, Draw),
    /// External frontend with the `Local` policy.
    ExternalLocal(EntryKind, Outlet, Outlet),
    /// Picks one of N slots of a pool and translates the destination.
    Balance(EntryKind, Pool, Draw),
    /// Drops clients outside the frontend's source ranges, then goes on.
    Allowed(Restricted),
    /// Answers TCP packets that do not begin a connection with a reset, and lets the others
    /// go on.
    ResetStrays(Beyond),
}

/// How an endpoint is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Draw {
    /// How many slots there are; never zero.
    pub(crate) slots: u32,
    /// For how long a client keeps its endpoint, in seconds; `None` without affinity.
    pub(crate) affinity: Option<u32>,
    /// The part of the map that has the endpoints, see [`Parts`](crate::partition::Parts).
    pub(crate) part: u16,
}

/// What a load balancer's address with source ranges leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Restricted {
    /// [`ServingChain::Reject`].
    Reject,
    /// [`ServingChain::External`].
    External(Draw),
    /// [`ServingChain::ExternalLocal`].
    ExternalLocal(Outlet, Outlet),
    /// [`ServingChain::ResetStrays`] before [`ServingChain::External`].
    ResetStraysExternal(Draw),
    /// [`ServingChain::ResetStrays`] before [`ServingChain::ExternalLocal`].
    ResetStraysExternalLocal(Outlet, Outlet),
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
    /// At one of the endpoints.
    Balance(Draw),
    /// At a rejection.
    Reject,
    /// Nowhere, silently.
    Drop,
}

impl Restricted {
    /// The chain for clients inside the ranges.
    pub(crate) const fn chain(self) -> ServingChain {
        match self {
            Restricted::Reject => ServingChain::Reject,
            Restricted::External(draw) => ServingChain::External(EntryKind::Address, draw),
            Restricted::ExternalLocal(inside, outside) => {
                ServingChain::ExternalLocal(EntryKind::Address, inside, outside)
            }
            Restricted::ResetStraysExternal(draw) => {
                ServingChain::ResetStrays(Beyond::External(EntryKind::Address, draw))
            }
            Restricted::ResetStraysExternalLocal(inside, outside) => ServingChain::ResetStrays(
                Beyond::ExternalLocal(EntryKind::Address, inside, outside),
            ),
        }
    }
}

impl ServingChain {
    /// The chain for a frontend whose clients are restricted, if it can have one.
    pub(crate) const fn restricted(self) -> Option<ServingChain> {
        Some(ServingChain::Allowed(match self {
            ServingChain::Reject => Restricted::Reject,
            ServingChain::External(EntryKind::Address, draw) => Restricted::External(draw),
            ServingChain::ExternalLocal(EntryKind::Address, inside, outside) => {
                Restricted::ExternalLocal(inside, outside)
            }
            ServingChain::ResetStrays(Beyond::External(EntryKind::Address, draw)) => {
                Restricted::ResetStraysExternal(draw)
            }
            ServingChain::ResetStrays(Beyond::ExternalLocal(
                EntryKind::Address,
                inside,
                outside,
            )) => Restricted::ResetStraysExternalLocal(inside, outside),
            _ => return None,
        }))
    }

    /// The chains that this one's rules lead to.
    pub(crate) fn successors(self) -> Vec<ServingChain> {
        match self {
            ServingChain::Reject | ServingChain::Balance(..) => Vec::new(),
            ServingChain::Allowed(restricted) => vec![restricted.chain()],
            ServingChain::ResetStrays(beyond) => beyond.chain().into_iter().collect(),
            ServingChain::ClusterIp(draw) => {
                vec![ServingChain::Balance(EntryKind::Address, Pool::Cluster, draw)]
            }
            ServingChain::External(kind, draw) => {
                vec![ServingChain::Balance(kind, Pool::Cluster, draw)]
            }
            ServingChain::ExternalLocal(kind, inside, outside) => {
                [(inside, Pool::Cluster), (outside, Pool::Local)]
                    .into_iter()
                    .filter_map(|(outlet, pool)| match outlet {
                        Outlet::Balance(draw) => Some(ServingChain::Balance(kind, pool, draw)),
                        Outlet::Reject => Some(ServingChain::Reject),
                        Outlet::Drop => None,
                    })
                    .collect()
            }
        }
    }
}
