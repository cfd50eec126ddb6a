//! The chains that turn away TCP packets which belong to no connection.
//!
//! They stand in front of the chain that would serve the frontend, so that frontends whose
//! Service does not ask for it never meet a rule of theirs.

use std::fmt;

use super::{Draw, EntryKind, Outlet, ServingChain};

/// What the name of such a chain begins with.
pub(super) const RESET_STRAYS: &str = "reset-strays-";

/// How silence is called where a chain's name would be.
const DROP: &str = "drop";

/// Where packets go that begin a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Beyond {
    /// Nowhere, silently.
    Drop,
    /// [`ServingChain::ClusterIp`].
    ClusterIp(Draw),
    /// [`ServingChain::External`].
    External(EntryKind, Draw),
    /// [`ServingChain::ExternalLocal`].
    ExternalLocal(EntryKind, Outlet, Outlet),
}

impl Beyond {
    /// The chain; `None` where packets are dropped.
    pub(crate) const fn chain(self) -> Option<ServingChain> {
        Some(match self {
            Beyond::Drop => return None,
            Beyond::ClusterIp(draw) => ServingChain::ClusterIp(draw),
            Beyond::External(kind, draw) => ServingChain::External(kind, draw),
            Beyond::ExternalLocal(kind, inside, outside) => {
                ServingChain::ExternalLocal(kind, inside, outside)
            }
        })
    }

    /// What stands behind the prefix of a name.
    pub(super) fn parse(name: &str) -> Option<Beyond> {
        match name {
            DROP => Some(Beyond::Drop),
            chain => ServingChain::parse(chain)?.beyond(),
        }
    }
}

impl ServingChain {
    /// This chain with strays turned away before. The rejection turns everybody away.
    pub(crate) fn resetting_strays(self) -> ServingChain {
        self.beyond().map_or(self, ServingChain::ResetStrays)
    }

    const fn beyond(self) -> Option<Beyond> {
        Some(match self {
            ServingChain::ClusterIp(draw) => Beyond::ClusterIp(draw),
            ServingChain::External(kind, draw) => Beyond::External(kind, draw),
            ServingChain::ExternalLocal(kind, inside, outside) => {
                Beyond::ExternalLocal(kind, inside, outside)
            }
            ServingChain::Reject
            | ServingChain::Balance(..)
            | ServingChain::Allowed(_)
            | ServingChain::ResetStrays(_) => return None,
        })
    }
}

impl fmt::Display for Beyond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.chain() {
            Some(chain) => chain.fmt(f),
            None => f.write_str(DROP),
        }
    }
}
