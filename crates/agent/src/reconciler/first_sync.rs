//! When the first sync may start.

use std::time::Duration;

use portolan_core::Update;
use tokio::time::Instant;

use super::{ConvergeReason, Reconciler};
use crate::config::{Patience, SourceConfig};

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

    /// What is still waited for once everything is listed, and for how long at most.
    fn waits_for(&self, now: Instant) -> Option<(String, Duration)> {
        let Patience { node, service_cidrs } = self.patience;
        let waits = |seen: bool, patience: Duration| {
            !seen && self.complete_at.is_some_and(|at| at + patience > now)
        };
        let node = waits(self.node_seen, node).then_some("this node's Node");
        let cidrs = waits(self.cidrs_seen, service_cidrs).then_some("the ServiceCIDRs");
        let what: Vec<&str> = node.into_iter().chain(cidrs).collect();
        let left = self.ends_at()?.saturating_duration_since(now);
        (!what.is_empty()).then(|| (what.join(" and "), left))
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

impl Reconciler {
    /// What keeps the first sync from beginning and what to check, if it has not begun.
    pub(super) fn first_sync_waits(&self, now: Instant) -> Option<String> {
        if self.converge != Some(ConvergeReason::Start) {
            return None;
        }
        if self.index.is_complete() {
            let (what, left) = self.first_sync.waits_for(now)?;
            let left = left.as_secs_f64().ceil();
            return Some(format!(
                "it waits for {what}, for up to {left} s more: may this agent read that?"
            ));
        }
        let (source, check) = match &self.config.source {
            SourceConfig::Directory(path) => (path.display().to_string(), "can it be read"),
            SourceConfig::Kube { .. } => {
                ("the API server".to_owned(), "can it be reached, and may this agent list them")
            }
        };
        Some(format!(
            "it has not got all Services and EndpointSlices of {source}: {check}? Its log says more"
        ))
    }
}
