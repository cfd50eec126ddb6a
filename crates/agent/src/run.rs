//! From a configuration to a loop that runs, with its servers, and to its end.

mod agent;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use portolan_watch::{SourceEvent, WatchFailures};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior, interval};
use tracing::{info, warn};

use self::agent::Agent;
use crate::address_events::AddressEvents;
use crate::backend_thread::{BackendThread, OpenBackend};
use crate::config::{Config, Loaded};
use crate::config_follower;
use crate::conntrack::{FlowCleaner, open_flow_table};
use crate::control;
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
use crate::sole_agent::Alone;

/// How often interface addresses are read again without any word of a change: events may
/// not be had at all, and a read that failed has to be repeated.
const RECHECK_ENVIRONMENT: Duration = Duration::from_secs(30);
/// Runs until `shutdown` completes, which is the only way to end well, and leaves the
/// rules in the kernel.
///
/// The file of `loaded` is followed: another backend in it is changed to, as by
/// `portolan switch`.
///
/// `events` comes from one of the sources of `portolan-watch`; the caller runs it, and
/// started it after [`alone`](crate::alone()), so that it says nothing old. `failures` is
/// where it counts those of its watches. The backend is opened on a thread of its own; if
/// that fails, so does this. Everything that fails later is logged and tried again. Only if
/// another agent turns up that has the lock, this one ends.
///
/// When this returns, that thread may still be inside a system call. The caller should
/// end the process, or at least drop the runtime with `shutdown_background`.
pub async fn run(
    loaded: Loaded,
    alone: Alone,
    events: mpsc::Receiver<SourceEvent>,
    open_backend: OpenBackend,
    failures: WatchFailures,
    shutdown: impl Future<Output = ()>,
) -> Result<(), AgentError> {
    let read_interfaces = Box::new(node_ports::interface_addresses);
    let flows = FlowCleaner::start(Box::new(open_flow_table)).map_err(AgentError::Thread)?;
    let work =
        run_with_flows(loaded, events, open_backend, failures, shutdown, read_interfaces, flows);
    tokio::select! {
        result = work => result,
        holder = alone.other() => Err(AgentError::AnotherAgent(holder)),
    }
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
