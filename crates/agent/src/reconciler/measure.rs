//! What the loop counts, as events become syncs.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portolan_core::{Change, Family, SyncReport, Update};
use portolan_watch::WatchFailures;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Call, Reconciler};
use crate::health::Health;
use crate::loopback_relay::Counters;
use crate::metrics::{HealthAnswers, LoopMetrics, Parts, ProblemCounts, Tally};

/// As many times as the index keeps: more say nothing more.
const MOST_TRIGGERS: usize = 10_000;

/// Counters, and what they need to remember.
#[derive(Debug)]
pub(super) struct Measure {
    pub(super) metrics: LoopMetrics,
    /// The start of this agent, in milliseconds since the Unix epoch. What was triggered
    /// before took as long as there was no agent.
    started: i64,
    /// Events that wait for a call.
    waiting: Seen,
    /// Events that are in the call on its way.
    in_call: Seen,
    /// What the call on its way, and those that failed before it, will make of the kernel.
    tally: Tally,
}

/// Events, by what they were about.
#[derive(Debug, Default)]
struct Seen {
    services: i64,
    endpoint_slices: i64,
    triggers: Vec<(Family, i64)>,
}

impl Seen {
    fn triggered(&mut self, triggers: Vec<(Family, i64)>) {
        self.triggers.extend(triggers);
        self.triggers.truncate(MOST_TRIGGERS);
    }
}

impl Default for Measure {
    fn default() -> Measure {
        Measure {
            metrics: LoopMetrics::default(),
            started: Timestamp::now().as_millisecond(),
            waiting: Seen::default(),
            in_call: Seen::default(),
            tally: Tally::default(),
        }
    }
}

impl Measure {
    /// An event, before the index takes it.
    pub(super) fn saw(&mut self, update: &Update) {
        let (services, endpoint_slices) = match update {
            Update::ServiceApplied(_) | Update::ServiceDeleted(_) => (1, 0),
            Update::ServicesReset(all) => (all.len(), 0),
            Update::EndpointSliceApplied(_) | Update::EndpointSliceDeleted(_) => (0, 1),
            Update::EndpointSlicesReset(all) => (0, all.len()),
            Update::NodeApplied(_) | Update::NodeDeleted | Update::ServiceCidrsReset(_) => return,
        };
        let changes = &self.metrics.changes;
        changes.services.inc_by(services as u64);
        changes.endpoints.inc_by(endpoint_slices as u64);
        let signed = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        changes.services_pending.inc_by(signed(services));
        changes.endpoints_pending.inc_by(signed(endpoint_slices));
        self.waiting.services += signed(services);
        self.waiting.endpoint_slices += signed(endpoint_slices);
    }

    /// An event asks for a sync.
    pub(super) fn queued(&self) {
        self.metrics.changes.queued(Timestamp::now());
    }

    /// All events so far are in these changes, of which a call may follow.
    pub(super) fn taken(&mut self, changes: &[Change], triggers: Vec<(Family, i64)>) {
        self.tally.follow(changes);
        self.in_call = std::mem::take(&mut self.waiting);
        self.in_call.triggered(triggers);
    }

    /// The kernel is as the events of the call want it.
    pub(super) fn arrived(&mut self, now: Timestamp) {
        let Seen { services, endpoint_slices, triggers } = std::mem::take(&mut self.in_call);
        self.metrics.changes.services_pending.dec_by(services);
        self.metrics.changes.endpoints_pending.dec_by(endpoint_slices);
        for (family, time) in triggers.into_iter().filter(|(_, time)| *time >= self.started) {
            // Clocks of two machines differ.
            let took = now.as_millisecond().saturating_sub(time).try_into().unwrap_or(0);
            self.metrics.changes.programmed(family, took);
        }
        self.metrics.programmed.set(&self.tally);
    }

    /// All events so far leave the kernel as it is.
    pub(super) fn nothing_to_do(&mut self) {
        let at = Timestamp::now();
        self.metrics.sync.up_to_date(at);
        self.arrived(at);
    }

    /// A call succeeded, and took `backend` on the backend's thread.
    pub(super) fn succeeded(
        &mut self,
        call: &Call,
        report: &SyncReport,
        backend: Duration,
        now: Instant,
    ) {
        let since_event = now.saturating_duration_since(call.since);
        let at = Timestamp::now();
        self.metrics.sync.succeeded(call, report, call.planning + backend, since_event, at);
        self.arrived(at);
    }

    /// A call failed, the last of `in_row`; its events wait for the next one.
    pub(super) fn failed(&mut self, call: &Call, backend: Duration, in_row: u32) {
        self.metrics.sync.failed(call, call.planning + backend, in_row);
        let failed = std::mem::take(&mut self.in_call);
        self.waiting.services += failed.services;
        self.waiting.endpoint_slices += failed.endpoint_slices;
        self.waiting.triggered(failed.triggers);
    }

    /// The backend was asked whether others changed what is ours.
    pub(super) fn checked(&self, disturbed: bool) {
        self.metrics.sync.checked(disturbed);
    }
}

impl Reconciler {
    /// What is counted here and elsewhere, to be told to Prometheus.
    pub(crate) fn parts<'a>(
        &'a self,
        answers: &'a HealthAnswers,
        failures: WatchFailures,
        health: watch::Receiver<Health>,
        loopback: Arc<Counters>,
    ) -> Parts<'a> {
        let (agent, flows) = (&self.measure.metrics, self.flows.metrics());
        Parts { agent, flows, answers, failures, health, loopback }
    }

    pub(super) fn count_problems(&self) {
        let of_index = self.index.counts();
        let of_source = self.problems.of_source();
        self.measure.metrics.input.problems(ProblemCounts {
            conflicts: of_index.conflicts,
            objects: of_index.problems - of_index.conflicts + of_source.objects,
            source: of_source.others,
            backend: self.problems.of_backend(),
        });
    }
}
