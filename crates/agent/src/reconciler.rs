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
mod switching;
#[cfg(test)]
mod tests;
mod view;

use std::time::Duration;

use jiff::Timestamp;
use portolan_core::{Change, Environment, Index, Update};
use portolan_watch::{Cause, Notice, SourceEvent};
use tokio::time::Instant;
use tracing::warn;

pub(crate) use self::call::{Call, CallKind, ConvergeReason};
use self::first_sync::FirstSync;
use self::healing::Healing;
use self::measure::Measure;
use self::switching::Switching;
pub(crate) use self::switching::{SwitchError, SwitchRequest, Switched};
use crate::backend_thread::Work;
use crate::change_log;
use crate::config::{Config, SourceConfig};
use crate::conntrack::FlowCleaner;
use crate::environment::{self, ReadInterfaces};
use crate::loopback_relay::LoopbackRelay;
use crate::problem_log::ProblemLog;
use crate::retry::{Pause, Retry};
use crate::service_health::{self, HealthChecks};

/// How long conflicts between Services settle before they are told: most are gone when
/// the second half of a change arrives.
const PROBLEMS_SETTLE: Duration = Duration::from_secs(1);

/// The state of the loop.
pub(crate) struct Reconciler {
    config: Config,
    read_interfaces: ReadInterfaces,
    index: Index,
    problems: ProblemLog,
    problems_stale: bool,
    problems_due: Option<Instant>,
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
    /// What the backend was told last.
    environment: Option<Environment>,
    environment_stale: bool,
    /// The backend works with an environment that has changed since.
    environment_changed: bool,
    /// Other addresses take NodePorts than when flows were last looked at.
    node_ports_changed: bool,
    waiting_since: Option<Instant>,
    node_deleted: bool,
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
            read_interfaces,
            problems: ProblemLog::default(),
            problems_stale: false,
            problems_due: None,
            state: State::Idle,
            retry: Retry::default(),
            healing: Healing::default(),
            flows: FlowCleaner::without_thread(),
            health_checks: service_health::channel().0,
            loopback: None,
            switching: Switching::No,
            measure: Measure::default(),
            converge: Some(ConvergeReason::Start),
            environment: None,
            environment_stale: true,
            environment_changed: false,
            node_ports_changed: false,
            waiting_since: None,
            node_deleted: false,
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
        match &update {
            Update::NodeApplied(_) => {
                self.node_deleted = false;
                self.environment_stale = true;
            }
            Update::NodeDeleted => {
                self.node_deleted = true;
                self.environment_stale = true;
            }
            Update::ServiceCidrsReset(_) => self.environment_stale = true,
            _ => {}
        }
        self.first_sync.saw(&update);
        self.measure.saw(&update);
        self.index.apply(update);
        self.first_sync.check(self.index.is_complete(), now);
        self.count_problems();
        self.news(now);
    }

    /// Interface addresses may have changed.
    pub(crate) fn recheck_environment(&mut self) {
        self.environment_stale = true;
    }

    fn news(&mut self, now: Instant) {
        self.problems_stale = true;
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
        let environment_changed = std::mem::take(&mut self.environment_changed);
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

    /// Changes of services wait for the next call, and so does `waiting_since`.
    fn adapt_work(&mut self, now: Instant, planning: Duration) -> Work {
        let since = self.waiting_since.unwrap_or(now);
        if std::mem::take(&mut self.node_ports_changed) {
            self.announce_all_flows();
        }
        self.state = State::Busy(Call { kind: CallKind::Adapt, services: 0, since, planning });
        Work::Adapt(self.environment.clone().unwrap_or_default())
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
        let environment = self.environment.clone().unwrap_or_default();
        let services = plans.len();
        (CallKind::Converge(reason), services, Work::Converge { plans, environment })
    }

    fn refresh_environment(&mut self) {
        if !std::mem::take(&mut self.environment_stale) {
            return;
        }
        let (node, cidrs) = (self.index.node(), self.index.service_cidrs());
        let absent = self.node_deleted || matches!(self.config.source, SourceConfig::Directory(_));
        let missing = environment::missing(&self.config, node, absent).into_iter();
        let missing = missing.map(|text| Notice { place: None, cause: Cause::Other(text) });
        self.problems.source_says("this node".to_owned(), missing.collect());
        self.count_problems();
        let environment = environment::resolve(&self.config, node, cidrs, &*self.read_interfaces);
        let environment = environment.or_else(|error| {
            warn!("cannot read the addresses of this node's interfaces: {error}");
            match &self.environment {
                // Until they can be read, the addresses of last time are the best guess.
                Some(environment) => Ok(environment.clone()),
                None => environment::resolve(&self.config, node, cidrs, &|| Ok(Vec::new())),
            }
        });
        let Ok(environment) = environment else { return };
        if self.environment.as_ref() != Some(&environment) {
            self.environment_changed = self.environment.is_some();
            let known = self.environment.as_ref();
            self.node_ports_changed |= known.is_some_and(|it| !it.has_node_ports_of(&environment));
            self.environment = Some(environment);
        }
    }

    fn watch_problems(&mut self, now: Instant) {
        let stale = std::mem::take(&mut self.problems_stale);
        if stale && (self.index.counts().problems > 0 || self.problems.index_said_something()) {
            self.problems_due.get_or_insert(now + PROBLEMS_SETTLE);
        }
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
        if self.problems_due.is_some_and(|due| due <= now) {
            self.problems_due = None;
            self.problems.index_says(self.index.problems());
        }
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
        [paused, check, self.first_sync.deadline(), self.problems_due].into_iter().flatten().min()
    }

    /// Whether a call is on its way.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.state, State::Busy(_))
    }
}

fn apply_work(changes: Vec<Change>) -> (CallKind, usize, Work) {
    (CallKind::Apply, changes.len(), Work::Apply(changes))
}
