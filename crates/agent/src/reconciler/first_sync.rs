//! When the first sync may start.

use std::time::Duration;

use portolan_core::Update;
use tokio::time::Instant;

/// The first sync waits for all Services and EndpointSlices, however long it takes:
/// half of them would take the other half out of the kernel. Then it waits a moment for
/// this node's object and the ServiceCIDRs, which a cluster may not have.
#[derive(Debug)]
pub(super) struct FirstSync {
    settle: Duration,
    node_seen: bool,
    cidrs_seen: bool,
    complete: bool,
    settled_at: Option<Instant>,
}

impl FirstSync {
    pub(super) fn new(settle: Duration) -> FirstSync {
        FirstSync { settle, node_seen: false, cidrs_seen: false, complete: false, settled_at: None }
    }

    pub(super) fn saw(&mut self, update: &Update) {
        match update {
            Update::NodeApplied(_) | Update::NodeDeleted => self.node_seen = true,
            Update::ServiceCidrsReset(_) => self.cidrs_seen = true,
            _ => {}
        }
    }

    pub(super) fn check(&mut self, complete: bool, now: Instant) {
        if complete && !self.complete {
            self.complete = true;
            self.settled_at = Some(now + self.settle);
        }
        if self.complete && self.node_seen && self.cidrs_seen {
            self.settled_at = None;
        }
    }

    pub(super) fn must_wait(&mut self, now: Instant) -> bool {
        if self.settled_at.is_some_and(|settled_at| settled_at <= now) {
            self.settled_at = None;
        }
        !self.complete || self.settled_at.is_some()
    }

    /// When waiting ends by itself.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.settled_at
    }
}
