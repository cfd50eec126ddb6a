//! What to do next: the state of the loop, without the waiting.
//!
//! ```text
//!              ┌────────────── changes, one call at a time ─────────────┐
//!  events ─▶ index ─▶ [complete?] ─▶ Idle ─▶ Busy ─▶ done ─▶ Idle ──────┘
//!                                              └───▶ failed ─▶ Paused ─▶ converge
//! ```
//!
//! While the backend works, events only mark services in the index. When it is free
//! again it gets all that came together: at once when it is quiet, in batches under
//! churn. A failed call loses nothing, since the next one converges to every plan. Every
//! few seconds the backend is asked whether others changed what is ours in the kernel.

mod call;
mod first_sync;
mod flows;
mod healing;
mod health_checks;
mod loopback;
mod measure;
mod outcome;
mod problems;
mod surroundings;
mod switching;
#[cfg(test)]
mod tests;
mod view;

use std::time::Duration;

use jiff::Timestamp;
use portolan_core::{Change, Index};
use portolan_watch::SourceEvent;
use tokio::time::Instant;
use tracing::warn;

pub(crate) use self::call::{Call, CallKind, ConvergeReason};
use self::first_sync::FirstSync;
pub(crate) use self::healing::CHECK_EVERY;
use self::healing::Healing;
use self::measure::Measure;
use self::problems::Telling;
use self::surroundings::Surroundings;
use self::switching::Switching;
pub(crate) use self::switching::{SwitchError, SwitchRequest, Switched};
use crate::backend_thread::Work;
use crate::change_log;
use crate::config::Config;
use crate::conntrack::FlowCleaner;
use crate::environment::ReadInterfaces;
use crate::loopback_relay::LoopbackRelay;
use crate::problem_log::ProblemLog;
use crate::retry::{Pause, Retry};
use crate::service_health::{self, HealthChecks};

/// The state of the loop.
pub(crate) struct Reconciler {
    config: Config,
    index: Index,
    problems: ProblemLog,
    telling: Telling,
    first_sync: FirstSync,
    state: State,
    retry: Retry,
    healing: Healing,
    flows: FlowCleaner,
    health_checks: HealthChecks,
    loopback: Option<LoopbackRelay>,
    switching: Switching,
    measure: Measure,
    /// Why the next call has to converge, if it has to.
    converge: Option<ConvergeReason>,
    surroundings: Surroundings,
    waiting_since: Option<Instant>,
    syncs: u64,
    last_sync: Option<Timestamp>,
    last_error: Option<String>,
}

enum State {
    Idle,
    Busy(Call),
    Paused(Pause),
}

impl Reconciler {
    pub(crate) fn new(config: Config, read_interfaces: ReadInterfaces) -> Reconciler {
        Reconciler {
            index: Index::new(config.node_name.as_str()),
            first_sync: FirstSync::new(config.patience),
            config,
            problems: ProblemLog::default(),
            telling: Telling::default(),
            state: State::Idle,
            retry: Retry::default(),
            healing: Healing::default(),
            flows: FlowCleaner::without_thread(),
            health_checks: service_health::channel().0,
            loopback: None,
            switching: Switching::No,
            measure: Measure::default(),
            converge: Some(ConvergeReason::Start),
            surroundings: Surroundings::new(read_interfaces),
            waiting_since: None,
            syncs: 0,
            last_sync: None,
            last_error: None,
        }
    }

    /// Takes in what the source reports.
    pub(crate) fn receive(&mut self, event: SourceEvent, now: Instant) {
        let update = match event {
            SourceEvent::Update(update) => update,
            SourceEvent::Problems { origin, problems } => {
                self.problems.source_says(origin, problems);
                return self.count_problems();
            }
        };
        self.surroundings.saw(&update);
        self.first_sync.saw(&update);
        self.measure.saw(&update);
        self.index.apply(update);
        self.first_sync.check(self.index.is_complete(), now);
        self.count_problems();
        self.news(now);
    }

    fn news(&mut self, now: Instant) {
        self.telling.news();
        // What happens before everything is listed does not wait for the kernel.
        if self.index.is_complete() {
            self.waiting_since.get_or_insert(now);
            self.measure.queued();
        }
        if let State::Paused(pause) = &mut self.state {
            pause.news(now);
        }
    }

    /// The next call of the backend, if it is time for one. The caller makes it, and
    /// reports to [`Reconciler::finish`].
    pub(crate) fn next_work(&mut self, now: Instant) -> Option<Work> {
        if self.first_sync.must_wait(now) || !self.is_free(now) {
            return None;
        }
        self.state = State::Idle;
        let started = std::time::Instant::now();
        self.refresh_environment();
        if let Some(work) = self.switch_work(now) {
            return Some(work);
        }
        if self.converge.is_none() && self.healing.take_due(now) {
            return Some(self.check_work(now));
        }
        let environment_changed = self.surroundings.take_changed();
        if self.converge.is_none() && environment_changed {
            return Some(self.adapt_work(now, started.elapsed()));
        }
        let changes = self.index.take_changes();
        self.measure.taken(&changes, self.index.take_triggers());
        self.announce(&changes);
        self.watch_problems(now);
        let since = self.waiting_since.take().unwrap_or(now);
        let (kind, services, work) = match self.converge.take() {
            Some(reason) => self.converge_work(reason),
            None if changes.is_empty() => {
                self.measure.nothing_to_do();
                return None;
            }
            None => apply_work(changes),
        };
        self.state = State::Busy(Call { kind, services, since, planning: started.elapsed() });
        Some(work)
    }

    /// What follows these changes once they are in the kernel.
    fn announce(&mut self, changes: &[Change]) {
        change_log::log(changes);
        self.announce_flows(changes);
        self.announce_health_checks(changes);
        self.announce_loopback(changes);
    }

    fn check_work(&mut self, now: Instant) -> Work {
        let (kind, planning) = (CallKind::Check, Duration::ZERO);
        self.state = State::Busy(Call { kind, services: 0, since: now, planning });
        Work::Check
    }

    fn is_free(&self, now: Instant) -> bool {
        match &self.state {
            State::Idle => true,
            State::Busy(_) => false,
            State::Paused(pause) => now >= pause.until(),
        }
    }

    fn converge_work(&self, reason: ConvergeReason) -> (CallKind, usize, Work) {
        let plans: Vec<_> = self.index.plans().cloned().collect();
        let environment = self.surroundings.environment();
        let services = plans.len();
        (CallKind::Converge(reason), services, Work::Converge { plans, environment })
    }

    /// Does what was put off until [`Reconciler::wake_at`].
    pub(crate) fn wake(&mut self, now: Instant) {
        if let Some(wait) = self.first_sync.take_reminder(now) {
            warn!(
                node = self.config.node_name,
                "the Node has not been read yet, and NodePorts or the detection of local pods rely \
                 on it: nothing is programmed for up to {} s more. Does the Node exist \
                 (--node-name), and may this agent read it?",
                wait.as_secs_f64().round()
            );
        }
        self.tell_problems(now);
    }

    /// When something is to do even if nothing happens.
    pub(crate) fn wake_at(&self) -> Option<Instant> {
        let paused = match &self.state {
            State::Paused(pause) => Some(pause.until()),
            _ => None,
        };
        let check = match &self.state {
            State::Idle => self.healing.due(),
            _ => None,
        };
        [paused, check, self.first_sync.deadline(), self.telling.due()].into_iter().flatten().min()
    }

    /// Whether a call is on its way.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.state, State::Busy(_))
    }
}

fn apply_work(changes: Vec<Change>) -> (CallKind, usize, Work) {
    (CallKind::Apply, changes.len(), Work::Apply(changes))
}
