//! Whether the agent does its work, and who may know.
//!
//! | path | 200 if |
//! |---|---|
//! | `/livez` | no change has been waiting for the kernel for longer than a minute |
//! | `/readyz` | that, and the first complete sync is done |
//! | `/healthz` | that, and this node is not being removed |
//!
//! Load balancers ask `/healthz` to find nodes that take traffic. A liveness probe asks
//! `/livez`: an agent that waits for the API server is not mended by a restart.

mod report;
mod server;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

pub(crate) use server::serve;

/// How long a change may wait for the kernel before the agent counts as ill: twice the
/// 30 s of kube-proxy's sync period.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What the loop tells the health server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Health {
    /// The end of the last successful sync.
    pub(crate) last_sync: Option<Timestamp>,
    /// When the oldest change that is not in the kernel yet was reported.
    pub(crate) waiting_since: Option<Instant>,
    /// This node's object is gone or says that it is going.
    pub(crate) node_leaving: bool,
}

impl Health {
    /// Nothing was programmed yet, and there is nothing to program yet.
    pub(crate) fn is_waiting_for_source(&self) -> bool {
        self.last_sync.is_none() && self.waiting_since.is_none()
    }

    /// Whether `/livez` answers 200.
    pub(crate) fn live(&self, now: Instant) -> bool {
        self.waiting(now) < LONGEST_WAIT
    }

    /// How long the oldest change that is not in the kernel yet has waited; zero if none.
    pub(crate) fn waiting(&self, now: Instant) -> Duration {
        self.waiting_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    fn ready(&self, now: Instant) -> bool {
        self.live(now) && self.last_sync.is_some()
    }
}
