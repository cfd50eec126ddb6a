//! How a call went, and what follows from it.

use jiff::Timestamp;
use portolan_watch::{Cause, Notice};
use tokio::time::Instant;
use tracing::warn;

use super::{Call, CallKind, ConvergeReason, Reconciler, State};
use crate::backend_thread::{BackendFacts, Done, Outcome, WorkError};
use crate::{error, sync_log};

impl Reconciler {
    /// Takes in how the call that [`Reconciler::next_work`] returned went.
    /// Returns whether the kernel now does what it was told.
    pub(crate) fn finish(&mut self, outcome: Outcome, now: Instant) -> bool {
        let State::Busy(call) = std::mem::replace(&mut self.state, State::Idle) else {
            warn!("the backend reported a call that nobody made");
            return false;
        };
        self.backend_says(&outcome.facts);
        let synced = matches!(outcome.result, Ok(Done::Synced(_)));
        let draining = outcome.facts.draining;
        match outcome.result {
            Ok(Done::Synced(report)) => {
                sync_log::succeeded(&call, &report, outcome.took, now);
                self.measure.succeeded(&call, &report, outcome.took, now);
                self.retry.succeeded();
                self.healing.synced(now);
                self.switched(draining, None);
                self.confirm_flows();
                self.confirm_health_checks();
                self.confirm_loopback();
                self.syncs += 1;
                self.last_sync = Some(Timestamp::now());
                self.last_error = None;
            }
            Ok(Done::Checked { disturbed, remembered }) => {
                self.healing.looked();
                self.measure.metrics.affinity.set(&remembered);
                self.measure.checked(disturbed);
                if disturbed {
                    self.converge = Some(ConvergeReason::Disturbance);
                    self.waiting_since.get_or_insert(now);
                }
            }
            Err(WorkError::Unread(error)) if self.healing.may_look_again() => {
                sync_log::unread(&error::chain(&*error));
                self.measure.failed(&call, outcome.took, self.retry.failures());
            }
            Err(error) => {
                self.failed(&call, error::chain(&error), now);
                self.measure.failed(&call, outcome.took, self.retry.failures());
            }
        }
        synced
    }

    /// What the backend knows of itself after a call.
    fn backend_says(&mut self, facts: &BackendFacts) {
        self.measure.metrics.draining.set(facts.draining.as_ref(), facts.name);
        let notice = |text: &String| Notice { place: None, cause: Cause::Other(text.clone()) };
        let notices = facts.problems.iter().map(notice).collect();
        self.problems.backend_says(notices);
        self.count_problems();
    }

    fn failed(&mut self, call: &Call, reason: String, now: Instant) {
        self.converge = Some(ConvergeReason::Failure);
        self.waiting_since = Some(call.since);
        let pause = match call.kind {
            CallKind::Apply | CallKind::Adapt => self.retry.changes_failed(now),
            CallKind::Converge(_) | CallKind::Check => self.retry.failed(now),
            // The backend in use has not failed. It goes on at once.
            CallKind::Switch => return self.switched(None, Some(&reason)),
        };
        sync_log::failed(call, &reason, self.retry.failures(), pause.until() - now);
        self.state = State::Paused(pause);
        self.last_error = Some(reason);
    }
}
