//! When the first sync may start.

use std::time::Duration;

use portolan_core::Update;
use tokio::time::Instant;

use crate::config::Patience;

/// After this much waiting the operator is told what is waited for.
const TELL_AFTER: Duration = Duration::from_secs(2);

/// The first sync waits for all Services and EndpointSlices, however long it takes:
/// half of them would take the other half out of the kernel. Then it waits for this
/// node's object and the ServiceCIDRs, but not for ever: a cluster may not have them.
#[derive(Debug)]
pub(super) struct FirstSync {
    patience: Patience,
    node_seen: bool,
    cidrs_seen: bool,
    complete_at: Option<Instant>,
    told: bool,
    over: bool,
}

impl FirstSync {
    pub(super) fn new(patience: Patience) -> FirstSync {
        FirstSync {
            patience,
            node_seen: false,
            cidrs_seen: false,
            complete_at: None,
            told: false,
            over: false,
        }
    }

    pub(super) fn saw(&mut self, update: &Update) {
        match update {
            Update::NodeApplied(_) | Update::NodeDeleted => self.node_seen = true,
            Update::ServiceCidrsReset(_) => self.cidrs_seen = true,
            _ => {}
        }
    }

    pub(super) fn check(&mut self, complete: bool, now: Instant) {
        if complete {
            self.complete_at.get_or_insert(now);
        }
    }

    pub(super) fn must_wait(&mut self, now: Instant) -> bool {
        self.over = self.over || self.ends_at().is_some_and(|end| end <= now);
        !self.over
    }

    /// How long the Node is still waited for, if it is time to say so; once.
    pub(super) fn take_reminder(&mut self, now: Instant) -> Option<Duration> {
        let due = self.tells_at().is_some_and(|at| at <= now);
        let end = self.ends_at().filter(|end| due && *end > now)?;
        self.told = true;
        Some(end - now)
    }

    /// When something is to do even if nothing happens.
    pub(super) fn deadline(&self) -> Option<Instant> {
        if self.over {
            return None;
        }
        [self.ends_at(), self.tells_at()].into_iter().flatten().min()
    }

    fn ends_at(&self) -> Option<Instant> {
        let node = if self.node_seen { Duration::ZERO } else { self.patience.node };
        let cidrs = if self.cidrs_seen { Duration::ZERO } else { self.patience.service_cidrs };
        Some(self.complete_at? + node.max(cidrs))
    }

    fn tells_at(&self) -> Option<Instant> {
        let tells = !self.told && !self.node_seen && self.patience.node > TELL_AFTER;
        self.complete_at.filter(|_| tells).map(|at| at + TELL_AFTER)
    }
}
