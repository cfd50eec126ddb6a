//! The loop itself: it waits, and everything else decides.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use portolan_watch::{SourceEvent, WatchFailures};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};
use tracing::{info, warn};

use crate::address_events::AddressEvents;
use crate::backend_thread::{BackendThread, OpenBackend};
use crate::config::{Config, Loaded};
use crate::config_follower;
use crate::conntrack::{FlowCleaner, open_flow_table};
use crate::control::{self, Query, Reasons, Status};
use crate::environment::ReadInterfaces;
use crate::error::AgentError;
use crate::health::{self, Health};
use crate::loopback_relay::{Counters, LoopbackRelay};
use crate::metrics::{self, HealthAnswers, Page};
use crate::node_ports;
use crate::reconciler::Reconciler;
use crate::reminder::remind;
use crate::route_localnet::{RouteLocalnet, route_localnet_warning};
use crate::service_health;
use crate::sole_agent;

/// How often interface addresses are read again without any word of a change: events may
/// not be had at all, and a read that failed has to be repeated.
const RECHECK_ENVIRONMENT: Duration = Duration::from_secs(30);
/// How long a call of the backend may go on after the end was asked for.
const LAST_CALL: Duration = Duration::from_millis(500);
/// Events that are taken in before the backend is looked after again.
const EVENTS_AT_ONCE: usize = 1024;

/// Runs until `shutdown` completes, which is the only way to end well, and leaves the
/// rules in the kernel.
///
/// The file of `loaded` is followed: another backend in it is changed to, as by
/// `portolan switch`.
///
/// `events` comes from one of the sources of `portolan-watch`; the caller runs it, and
/// `failures` is where it counts those of its watches. The
/// backend is opened on a thread of its own; if that fails, so does this. Everything
/// that fails later is logged and tried again. While another agent works in this network
/// namespace, this one waits and touches nothing.
///
/// When this returns, that thread may still be inside a system call. The caller should
/// end the process, or at least drop the runtime with `shutdown_background`.
pub async fn run(
    loaded: Loaded,
    events: mpsc::Receiver<SourceEvent>,
    open_backend: OpenBackend,
    failures: WatchFailures,
    shutdown: impl Future<Output = ()>,
) -> Result<(), AgentError> {
    let mut shutdown = pin!(shutdown);
    let alone = tokio::select! {
        biased;
        () = &mut shutdown => return Ok(()),
        alone = sole_agent::alone(loaded.config.healthz) => alone,
    };
    let read_interfaces = Box::new(node_ports::interface_addresses);
    let flows = FlowCleaner::start(Box::new(open_flow_table)).map_err(AgentError::Thread)?;
    let result =
        run_with_flows(loaded, events, open_backend, failures, shutdown, read_interfaces, flows)
            .await;
    // The backend may still be at work.
    if let Some(alone) = alone {
        alone.until_the_process_ends();
    }
    result
}

async fn run_with_flows(
    loaded: Loaded,
    events: mpsc::Receiver<SourceEvent>,
    open_backend: OpenBackend,
    failures: WatchFailures,
    shutdown: impl Future<Output = ()>,
    read_interfaces: ReadInterfaces,
    flows: FlowCleaner,
) -> Result<(), AgentError> {
    let Loaded { config, warnings, file } = loaded;
    let mut shutdown = pin!(shutdown);
    let backend = tokio::select! {
        biased;
        () = &mut shutdown => return Ok(()),
        backend = BackendThread::start(config.backend, open_backend) => backend?,
    };
    log_start(&config, warnings, &backend);
    let (health, health_receiver) = watch::channel(Health::default());
    let (query_sender, queries) = mpsc::channel(1);
    let mut servers = JoinSet::new();
    servers.spawn(remind(config.source.clone(), health_receiver.clone()));
    let (health_checks, news) = service_health::channel();
    servers.spawn(service_health::serve(news, health_receiver.clone()));
    let reconciler = Reconciler::new(config.clone(), read_interfaces).with_flows(flows);
    let answers = HealthAnswers::default();
    let (mode, mode_receiver) = watch::channel(backend.facts.name);
    let relayed = Arc::new(Counters::default());
    if let Some(address) = config.metrics {
        let (health, loopback) = (health_receiver.clone(), Arc::clone(&relayed));
        let page = Page::new(reconciler.parts(&answers, failures, health, loopback));
        servers.spawn(metrics::serve(address, page, mode_receiver));
    }
    if let Some(address) = config.healthz {
        servers.spawn(health::serve(address, health_receiver, answers));
    }
    if let Some(file) = file {
        servers.spawn(config_follower::follow(file, query_sender.clone()));
    }
    if let Some(path) = config.control_socket.clone() {
        servers.spawn(control::serve(path, query_sender));
    }
    let loopback = start_loopback(&config, relayed)?;
    // Another backend may be chosen while this runs.
    let address_events =
        AddressEvents::open(node_ports::needs_interfaces(&config.node_ports, true));
    let route_localnet = RouteLocalnet::new(config.localhost_node_ports);
    let mut agent = Agent {
        reconciler: reconciler.with_health_checks(health_checks).with_loopback(loopback),
        backend,
        events,
        queries,
        health,
        mode,
        address_events,
        route_localnet,
        recheck: recheck_interval(),
    };
    let result = tokio::select! {
        biased;
        () = &mut shutdown => Ok(()),
        result = agent.work() => result,
    };
    agent.finish_last_call().await;
    servers.shutdown().await;
    result
}

fn log_start(config: &Config, warnings: Vec<String>, backend: &BackendThread) {
    info!(
        version = env!("CARGO_PKG_VERSION"),
        node = config.node_name,
        backend = backend.facts.name,
        "portolan starts"
    );
    let left_behind = if config.localhost_node_ports { None } else { route_localnet_warning() };
    for warning in warnings.into_iter().chain(config.warnings()).chain(left_behind) {
        warn!("{warning}");
    }
}

/// NodePorts are relayed from ::1 where rules serve them on 127.0.0.0/8.
fn start_loopback(
    config: &Config,
    relayed: Arc<Counters>,
) -> Result<Option<LoopbackRelay>, AgentError> {
    let start = || LoopbackRelay::start(relayed);
    config.localhost_node_ports.then(start).transpose().map_err(AgentError::Thread)
}

fn recheck_interval() -> Interval {
    let mut interval = interval(RECHECK_ENVIRONMENT);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

struct Agent {
    reconciler: Reconciler,
    backend: BackendThread,
    events: mpsc::Receiver<SourceEvent>,
    queries: mpsc::Receiver<Query>,
    health: watch::Sender<Health>,
    /// The backend's name.
    mode: watch::Sender<&'static str>,
    address_events: AddressEvents,
    route_localnet: RouteLocalnet,
    recheck: Interval,
}

impl Agent {
    async fn work(&mut self) -> Result<(), AgentError> {
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

    async fn finish_last_call(&mut self) {
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
