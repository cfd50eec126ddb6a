//! The chains that serve frontends. A chain is shared by all frontends that need the same,
//! so there are as many as there are different endpoint counts, not services.

mod strays;
#[cfg(test)]
mod tests;

use std::fmt;
use std::iter::Peekable;
use std::str::Split;

use portolan_core::Pool;

pub(crate) use self::strays::Beyond;
use self::strays::RESET_STRAYS;

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

    /// The chain of a name, if it is one that this module makes.
    pub(crate) fn from_name(name: &str) -> Option<ServingChain> {
        let chain = match name.strip_prefix(ALLOWED) {
            Some(rest) => ServingChain::parse(rest)?.restricted()?,
            None => ServingChain::parse(name)?,
        };
        // `balance-03` and the like are not ours.
        (chain.to_string() == name).then_some(chain)
    }

    fn parse(name: &str) -> Option<ServingChain> {
        if name == "reject-connection" {
            return Some(ServingChain::Reject);
        }
        if let Some(beyond) = name.strip_prefix(RESET_STRAYS) {
            return Beyond::parse(beyond).map(ServingChain::ResetStrays);
        }
        let (kind, rest) = match name.strip_prefix("node-port-") {
            Some(rest) => (EntryKind::NodePort, rest),
            None => (EntryKind::Address, name),
        };
        let whole = |words: &str| {
            let mut words = words.split('-').peekable();
            Draw::parse(&mut words).filter(|_| words.next().is_none())
        };
        Some(if let Some(draw) = rest.strip_prefix("cluster-ip-") {
            ServingChain::ClusterIp(whole(draw)?)
        } else if let Some(outlets) = rest.strip_prefix("external-local-") {
            let mut words = outlets.split('-').peekable();
            let (inside, outside) = (Outlet::parse(&mut words)?, Outlet::parse(&mut words)?);
            ServingChain::ExternalLocal(kind, inside, outside)
        } else if let Some(draw) = rest.strip_prefix("external-") {
            ServingChain::External(kind, whole(draw)?)
        } else if let Some(draw) = rest.strip_prefix("balance-local-") {
            ServingChain::Balance(kind, Pool::Local, whole(draw)?)
        } else {
            ServingChain::Balance(kind, Pool::Cluster, whole(rest.strip_prefix("balance-")?)?)
        })
    }
}

/// What the name of a chain for a restricted frontend begins with.
const ALLOWED: &str = "allowed-";

/// What stands before the seconds for which a client keeps its endpoint.
const AFFINITY: &str = "affinity";

type Words<'a> = Peekable<Split<'a, char>>;

impl Draw {
    fn parse(words: &mut Words<'_>) -> Option<Draw> {
        let slots = words.next()?.parse().ok()?;
        let affinity = match words.next_if_eq(&AFFINITY) {
            Some(_) => Some(words.next()?.parse().ok()?),
            None => None,
        };
        Some(Draw { slots, affinity })
    }
}

impl Outlet {
    fn parse(words: &mut Words<'_>) -> Option<Outlet> {
        match *words.peek()? {
            "reject" => words.next().map(|_| Outlet::Reject),
            "drop" => words.next().map(|_| Outlet::Drop),
            _ => Draw::parse(words).map(Outlet::Balance),
        }
    }
}

impl fmt::Display for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.affinity {
            None => self.slots.fmt(f),
            Some(seconds) => write!(f, "{}-{AFFINITY}-{seconds}", self.slots),
        }
    }
}

impl fmt::Display for Outlet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outlet::Balance(draw) => draw.fmt(f),
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
            ServingChain::ClusterIp(draw) => write!(f, "cluster-ip-{draw}"),
            ServingChain::External(kind, draw) => write!(f, "{}external-{draw}", kind.prefix()),
            ServingChain::ExternalLocal(kind, inside, outside) => {
                write!(f, "{}external-local-{inside}-{outside}", kind.prefix())
            }
            ServingChain::Balance(kind, pool, draw) => {
                let local = if *pool == Pool::Local { "local-" } else { "" };
                write!(f, "{}balance-{local}{draw}", kind.prefix())
            }
            ServingChain::Allowed(restricted) => write!(f, "{ALLOWED}{}", restricted.chain()),
            ServingChain::ResetStrays(beyond) => write!(f, "{RESET_STRAYS}{beyond}"),
        }
    }
}
