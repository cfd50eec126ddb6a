//! Stale flows are deleted on a thread of their own, after the rules are in the kernel
//! and never in the way of the next sync.
//!
//! ```text
//!  loop ── announce(rules) ──▶ coming ── confirm ──▶ due ── thread: list, judge, delete
//!           before a call               after it      ▲              │
//!                                                     └── failed ────┘
//! ```
//!
//! There is at most one job; what comes meanwhile is merged into the next.

mod counted;
mod kernel;
mod sweep;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use portolan_core::flows::FlowRules;
use portolan_core::{Environment, Family};
use tracing::{info, warn};

use self::counted::counted;
pub(crate) use self::kernel::open_flow_table;
use self::sweep::{OpenFlowTable, sweep};
use crate::error::chain;
use crate::metrics::FlowMetrics;

const FIRST_DELAY: Duration = Duration::from_secs(1);
/// Between jobs: under churn, one listing answers many changes.
const REST: Duration = Duration::from_millis(100);
/// So many times as long as a job took: a large table must not keep a core busy.
const REST_FACTOR: u32 = 9;
const LONGEST_DELAY: Duration = Duration::from_secs(120);

/// The loop's end of the thread, which ends some time after this is dropped.
pub(crate) struct FlowCleaner {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    metrics: FlowMetrics,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What the call on its way, and those that failed before it, will make of the kernel.
    coming: FlowRules,
    /// What the kernel has been made, and its flows not looked at since.
    due: FlowRules,
    environment: Environment,
    /// Why the last job failed, until one succeeds.
    failure: Option<String>,
    closed: bool,
}

impl FlowCleaner {
    /// Starts the thread, in the network namespace of the calling one.
    pub(crate) fn start(open: OpenFlowTable) -> io::Result<FlowCleaner> {
        let cleaner = FlowCleaner::without_thread();
        let shared = Arc::clone(&cleaner.shared);
        let open = counted(open, shared.metrics.clone());
        thread::Builder::new()
            .name("conntrack".to_owned())
            .spawn(move || Worker { shared, open, delay: FIRST_DELAY }.work())?;
        Ok(cleaner)
    }

    /// One that nobody works for.
    pub(crate) fn without_thread() -> FlowCleaner {
        FlowCleaner { shared: Arc::default() }
    }

    /// What the thread counts.
    pub(crate) fn metrics(&self) -> &FlowMetrics {
        &self.shared.metrics
    }

    /// Why the last job failed, if none has succeeded since.
    pub(crate) fn failure(&self) -> Option<String> {
        self.shared.lock().failure.clone()
    }

    /// The backend is about to be told what makes these flows stale.
    pub(crate) fn announce(&self, rules: FlowRules) {
        self.shared.lock().coming.merge(rules);
    }

    /// The backend has done all that was announced.
    pub(crate) fn confirm(&self, environment: &Environment) {
        let mut state = self.shared.lock();
        let coming = std::mem::take(&mut state.coming);
        if coming.is_empty() {
            return;
        }
        state.due.merge(coming);
        state.environment.clone_from(environment);
        drop(state);
        self.shared.changed.notify_all();
    }

    #[cfg(test)]
    pub(crate) fn due(&self) -> FlowRules {
        self.shared.lock().due.clone()
    }
}

impl Drop for FlowCleaner {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    /// The state is whole whenever the lock is free, whatever became of the other thread.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for something to do. `None` at the end.
    fn next_job(&self) -> Option<(FlowRules, Environment)> {
        let nothing = |state: &mut State| !state.closed && state.due.is_empty();
        let state = self.changed.wait_while(self.lock(), nothing);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return None;
        }
        Some((std::mem::take(&mut state.due), state.environment.clone()))
    }

    /// What became known since the job was taken, or will soon be so: a flow that fits it
    /// may be as young as that.
    fn later(&self) -> FlowRules {
        let state = self.lock();
        let mut later = state.due.clone();
        later.merge(state.coming.clone());
        later
    }

    /// Gives a job back that could not be done, to be done with what came since.
    fn give_back(&self, mut rules: FlowRules) {
        let mut state = self.lock();
        rules.merge(std::mem::take(&mut state.due));
        state.due = rules;
    }

    fn succeeded(&self, rules: &FlowRules, took: Duration) {
        let families = Family::BOTH.into_iter().filter(|family| rules.has_suspects(*family));
        self.metrics.swept(families, took);
        self.lock().failure = None;
    }

    fn failed(&self, reason: String) {
        self.metrics.failed();
        self.lock().failure = Some(reason);
    }

    /// Sleeps, unless it is the end.
    fn pause(&self, delay: Duration) {
        let until = Instant::now() + delay;
        let mut state = self.lock();
        while !state.closed {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

struct Worker {
    shared: Arc<Shared>,
    open: OpenFlowTable,
    delay: Duration,
}

impl Worker {
    fn work(mut self) {
        while let Some((rules, environment)) = self.shared.next_job() {
            let later = || self.shared.later();
            let started = Instant::now();
            match sweep(&mut self.open, &rules, &environment, &later) {
                Ok(deleted) => {
                    self.shared.succeeded(&rules, started.elapsed());
                    self.delay = FIRST_DELAY;
                    if deleted > 0 {
                        info!(deleted, "stale flows deleted");
                    }
                    self.shared.pause(REST.max(started.elapsed() * REST_FACTOR));
                }
                Err(error) => {
                    self.shared.failed(chain(&*error));
                    warn!(
                        "stale flows could not be deleted, and clients that keep their \
                         sockets may still send to endpoints that are gone: {}. This needs \
                         CAP_NET_ADMIN and the kernel module nf_conntrack_netlink; it is tried \
                         again in {} s",
                        chain(&*error),
                        self.delay.as_secs()
                    );
                    self.shared.give_back(rules);
                    self.shared.pause(self.delay);
                    self.delay = LONGEST_DELAY.min(self.delay * 2);
                }
            }
        }
    }
}
