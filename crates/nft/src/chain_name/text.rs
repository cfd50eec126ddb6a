//! The names: how a chain is called, and which chain a name means.

use std::fmt;
use std::iter::Peekable;
use std::str::Split;

use portolan_core::Pool;

use super::strays::{Beyond, RESET_STRAYS};
use super::{Draw, EntryKind, Outlet, ServingChain};

/// What the name of a chain for a restricted frontend begins with.
const ALLOWED: &str = "allowed-";

/// What stands before the seconds for which a client keeps its endpoint.
const AFFINITY: &str = "affinity";

/// What stands before the number of the part of the map of endpoints, but for the first.
const PART: &str = "part";

type Words<'a> = Peekable<Split<'a, char>>;

impl ServingChain {
    /// The chain of a name, if it is one that this module makes.
    pub(crate) fn from_name(name: &str) -> Option<ServingChain> {
        let chain = match name.strip_prefix(ALLOWED) {
            Some(rest) => ServingChain::parse(rest)?.restricted()?,
            None => ServingChain::parse(name)?,
        };
        // `balance-03` and the like are not ours.
        (chain.to_string() == name).then_some(chain)
    }

    pub(super) fn parse(name: &str) -> Option<ServingChain> {
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

impl Draw {
    fn parse(words: &mut Words<'_>) -> Option<Draw> {
        let slots = words.next()?.parse().ok()?;
        let affinity = match words.next_if_eq(&AFFINITY) {
            Some(_) => Some(words.next()?.parse().ok()?),
            None => None,
        };
        let part = match words.next_if_eq(&PART) {
            Some(_) => words.next()?.parse().ok()?,
            None => 0,
        };
        Some(Draw { slots, affinity, part })
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
        self.slots.fmt(f)?;
        if let Some(seconds) = self.affinity {
            write!(f, "-{AFFINITY}-{seconds}")?;
        }
        match self.part {
            0 => Ok(()),
            part => write!(f, "-{PART}-{part}"),
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
