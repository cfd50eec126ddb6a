//! The loop itself: it waits, and everything else decides.

use std::time::Duration;

use portolan_watch::SourceEvent;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, sleep_until, timeout};
use tracing::warn;

use crate::address_events::AddressEvents;
use crate::backend_thread::BackendThread;
use crate::control::{Query, Reasons, Status};
use crate::error::AgentError;
use crate::health::Health;
use crate::reconciler::Reconciler;
use crate::route_localnet::RouteLocalnet;

/// How long a call of the backend may go on after the end was asked for.
pub(super) const LAST_CALL: Duration = Duration::from_millis(500);
/// Events that are taken in before the backend is looked after again.
const EVENTS_AT_ONCE: usize = 1024;

/// What the loop works with.
pub(super) struct Agent {
    pub(super) reconciler: Reconciler,
    pub(super) backend: BackendThread,
    pub(super) events: mpsc::Receiver<SourceEvent>,
    pub(super) queries: mpsc::Receiver<Query>,
    pub(super) health: watch::Sender<Health>,
    /// The backend's name.
    pub(super) mode: watch::Sender<&'static str>,
    pub(super) address_events: AddressEvents,
    pub(super) route_localnet: RouteLocalnet,
    pub(super) recheck: Interval,
}

impl Agent {
    /// Works until something fails that ends the agent.
    pub(super) async fn work(&mut self) -> Result<(), AgentError> {
        let mut events = Vec::with_capacity(EVENTS_AT_ONCE);
        loop {
            self.dispatch()?;
            let wake_at = self.reconciler.wake_at();
            let wake = async {
                match wake_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                received = self.events.recv_many(&mut events, EVENTS_AT_ONCE) => {
                    if received == 0 {
                        return Err(AgentError::SourceEnded);
                    }
                    let now = Instant::now();
                    events.drain(..).for_each(|event| self.reconciler.receive(event, now));
                }
                outcome = self.backend.outcome() => {
                    if self.reconciler.finish(outcome?, Instant::now()) {
                        self.route_localnet.synced();
                    }
                }
                Some(query) = self.queries.recv() => self.answer(query),
                () = self.address_events.changed() => self.reconciler.recheck_environment(),
                _ = self.recheck.tick() => self.reconciler.recheck_environment(),
                () = wake => {}
            }
        }
    }

    fn dispatch(&mut self) -> Result<(), AgentError> {
        let now = Instant::now();
        self.reconciler.wake(now);
        if let Some(work) = self.reconciler.next_work(now) {
            self.backend.send(work)?;
        }
        let name = self.backend.facts.name;
        self.mode.send_if_modified(|current| std::mem::replace(current, name) != name);
        let health = self.reconciler.health();
        self.health.send_if_modified(|current| {
            let modified = *current != health;
            *current = health;
            modified
        });
        Ok(())
    }

    fn answer(&mut self, query: Query) {
        // A client that left needs no answer.
        match query {
            Query::Switch(request) => self.reconciler.request_switch(request, Instant::now()),
            Query::Dump(reply) => {
                let mut dump = self.reconciler.dump();
                self.fill_in(&mut dump.status);
                let _ = reply.send(dump);
            }
            Query::Explain(question, reply) => {
                let answer = self.reconciler.explain(&question, self.backend.facts.name);
                let mut status = self.reconciler.status();
                self.fill_in(&mut status);
                let _ = reply.send(answer.map(|answer| Reasons { status, answer }));
            }
        }
    }

    /// The facts of the backend.
    fn fill_in(&self, status: &mut Status) {
        status.backend = self.backend.facts.name.to_owned();
        status.atomic = self.backend.facts.atomic;
        status.draining.clone_from(&self.backend.facts.draining);
    }

    /// So that what is almost done is not done again by the next start.
    pub(super) async fn finish_last_call(&mut self) {
        if !self.reconciler.is_busy() {
            return;
        }
        match timeout(LAST_CALL, self.backend.outcome()).await {
            Ok(Ok(outcome)) => {
                self.reconciler.finish(outcome, Instant::now());
            }
            Ok(Err(error)) => warn!("{error}"),
            Err(_) => warn!(
                "the backend still works after {} ms and is left alone; the next start compares \
                 everything with the kernel",
                LAST_CALL.as_millis()
            ),
        }
    }
}
