//! The loop with a fake source and a fake backend, on a clock that only the test moves.

mod address_events;
mod backend_changes;
mod first_sync;
mod healing;
mod health_checks;
mod localhost;
mod metrics;

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::sync::mpsc as blocking;

use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_core::{Environment, Update};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::advance;

use super::*;
use crate::config::{LocalPodDetection, NodePortSelection};
use crate::testing::*;

/// Runs on a runtime whose clock goes on only when nothing is left to do.
fn with_paused_clock(work: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(work);
    runtime.shutdown_background();
}

/// Without a thread for flows.
async fn run_with(
    loaded: Loaded,
    events: mpsc::Receiver<SourceEvent>,
    open: OpenBackend,
    shutdown: impl Future<Output = ()>,
    read: ReadInterfaces,
) -> Result<(), AgentError> {
    let flows = FlowCleaner::without_thread();
    run_with_flows(loaded, events, open, WatchFailures::default(), shutdown, read, flows).await
}

struct Harness {
    events: mpsc::Sender<SourceEvent>,
    kernel: FakeKernel,
    shutdown: Option<oneshot::Sender<()>>,
    agent: JoinHandle<Result<(), AgentError>>,
    interfaces: Arc<Mutex<io::Result<Vec<IpAddr>>>>,
    /// Tokio's paused clock runs ahead when nothing is left to do, unless a blocking
    /// task is still running. This one runs until it is dropped.
    _still: blocking::Sender<()>,
}

impl Harness {
    fn start(config: Config) -> Harness {
        let (open, kernel) = fake_backend();
        Harness::start_with(config, open, kernel)
    }

    fn start_with(config: impl Into<Loaded>, open: OpenBackend, kernel: FakeKernel) -> Harness {
        let interfaces = Arc::new(Mutex::new(io::Result::Ok(Vec::new())));
        let shared = Arc::clone(&interfaces);
        let read: ReadInterfaces = Box::new(move || match &*shared.lock().unwrap() {
            Ok(addresses) => Ok(addresses.clone()),
            Err(error) => Err(error.kind().into()),
        });
        Harness { interfaces, ..Harness::start_reading(config, open, kernel, read) }
    }

    /// With `read` in place of `interfaces`.
    fn start_reading(
        loaded: impl Into<Loaded>,
        open: OpenBackend,
        kernel: FakeKernel,
        read: ReadInterfaces,
    ) -> Harness {
        let (still, wait) = blocking::channel::<()>();
        tokio::task::spawn_blocking(move || wait.recv());
        let (events, receiver) = mpsc::channel(16);
        let (shutdown, stop) = oneshot::channel();
        let stop = async move {
            let _ = stop.await;
        };
        let agent = tokio::spawn(run_with(loaded.into(), receiver, open, stop, read));
        let interfaces = Arc::new(Mutex::new(Ok(Vec::new())));
        Harness { events, kernel, shutdown: Some(shutdown), agent, interfaces, _still: still }
    }

    /// An agent that serves `web` with one endpoint and `api` with none.
    async fn synced(config: Config) -> Harness {
        let mut harness = Harness::start(config);
        harness.list().await;
        assert!(matches!(harness.asked().await, Asked::Converge(..)));
        harness.answer(Answer::Succeed);
        harness
    }

    async fn list(&self) {
        self.send(services(vec![service("web", 1), service("api", 2)])).await;
        self.send(slices(vec![slice("web", &[1])])).await;
    }

    async fn send(&self, event: SourceEvent) {
        self.events.send(event).await.unwrap();
        // What the agent takes out of the channel it has taken in before it yields.
        while self.events.capacity() < self.events.max_capacity() {
            settle().await;
        }
    }

    async fn asked(&mut self) -> Asked {
        self.kernel.asked.recv().await.expect("the agent ended")
    }

    fn answer(&self, answer: Answer) {
        self.kernel.answers.send(answer).unwrap();
    }

    async fn stop(mut self) -> Result<(), AgentError> {
        self.shutdown.take().unwrap().send(()).unwrap();
        self.agent.await.unwrap()
    }
}

fn counts(pairs: &[(&str, usize)]) -> BTreeMap<String, usize> {
    pairs.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

fn changed(pairs: &[(&str, usize)]) -> Asked {
    Asked::Apply(pairs.iter().map(|(name, count)| ((*name).to_owned(), Some(*count))).collect())
}

fn environment(asked: Asked) -> Environment {
    match asked {
        Asked::Converge(_, environment) | Asked::Adapt(environment) => environment,
        other => panic!("expected a converge, not {other:?}"),
    }
}

fn plans(asked: Asked) -> BTreeMap<String, usize> {
    match asked {
        Asked::Converge(plans, _) => plans,
        other => panic!("expected a converge, not {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_programmed_before_services_and_endpoint_slices_are_all_known() {
    let mut agent = Harness::start(config());
    agent.send(slice_applied("web", &[7])).await;
    agent.send(services(vec![service("web", 1)])).await;
    advance(Duration::from_secs(300)).await;
    assert!(agent.kernel.asked.is_empty());
    agent.send(slices(vec![slice("web", &[1, 2])])).await;
    assert_eq!(plans(agent.asked().await), counts(&[("web", 2)]));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_a_quiet_cluster_is_applied_at_once() {
    let mut agent = Harness::synced(config()).await;
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]));
}

#[tokio::test(start_paused = true)]
async fn changes_that_come_while_the_backend_is_busy_are_applied_together() {
    let mut agent = Harness::synced(config()).await;
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]));
    agent.send(slice_applied("web", &[1, 2, 3])).await;
    agent.send(slice_applied("api", &[4])).await;
    agent.send(slice_applied("web", &[1, 2, 3, 4])).await;
    assert!(agent.kernel.asked.is_empty(), "one call at a time");
    agent.answer(Answer::Succeed);
    assert_eq!(agent.asked().await, changed(&[("api", 1), ("web", 4)]));
}

#[tokio::test(start_paused = true)]
async fn events_that_change_no_plan_ask_nothing_of_the_backend() {
    let mut agent = Harness::synced(config()).await;
    agent.send(slice_applied("web", &[1])).await;
    agent.send(slice_applied("orphan", &[9])).await;
    agent.list().await;
    agent.send(slice_applied("api", &[5])).await;
    assert_eq!(agent.asked().await, changed(&[("api", 1)]));
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_everything_is_converged_and_nothing_is_lost() {
    let mut agent = Harness::synced(config()).await;
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]));
    agent.send(slice_applied("api", &[3])).await;
    agent.answer(Answer::Fail);
    for delay in [1, 2, 4, 8, 16, 30, 30] {
        // The outcome comes from another thread; a failed call is logged on this one.
        while agent.kernel.asked.is_empty() {
            settle().await;
            advance(Duration::from_secs(delay)).await;
        }
        let all = counts(&[("api", 1), ("web", 2)]);
        assert_eq!(plans(agent.asked().await), all, "after {delay} s");
        agent.answer(Answer::Fail);
    }
    let all = counts(&[("api", 1), ("web", 2)]);
    while agent.kernel.asked.is_empty() {
        settle().await;
        advance(Duration::from_secs(30)).await;
    }
    assert_eq!(plans(agent.asked().await), all);
    agent.answer(Answer::Succeed);
    agent.send(slice_applied("api", &[3, 4])).await;
    assert_eq!(agent.asked().await, changed(&[("api", 2)]), "back to changes");
}

/// Lets the backend's thread, which runs in real time, get on.
async fn settle() {
    std::thread::sleep(Duration::from_millis(1));
    tokio::task::yield_now().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_address_of_the_node_is_converged() {
    let mut agent = Harness::start(config());
    agent.list().await;
    let first = environment(agent.asked().await);
    assert_eq!(first.node_ports_v4, NodePortAddresses::Listed(Vec::new()));
    agent.answer(Answer::Succeed);
    agent.send(node(&["192.0.2.1", "2001:db8::1"], &[])).await;
    let second = environment(agent.asked().await);
    assert_eq!(second.node_ports_v4, listed(&["192.0.2.1"]));
    assert_eq!(second.node_ports_v6, listed(&["2001:db8::1"]));
    agent.answer(Answer::Succeed);
    agent.send(SourceEvent::Update(Update::NodeDeleted)).await;
    agent.send(node(&["192.0.2.1", "2001:db8::1"], &["10.244.1.0/24"])).await;
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]), "nothing else has changed");
}

fn listed(addresses: &[&str]) -> NodePortAddresses {
    NodePortAddresses::Listed(addresses.iter().map(|text| text.parse().unwrap()).collect())
}

#[tokio::test(start_paused = true)]
async fn service_cidrs_are_converged() {
    let mut agent = Harness::synced(config()).await;
    let cidr = "10.96.0.0/12".parse().unwrap();
    agent.send(SourceEvent::Update(Update::ServiceCidrsReset(vec![cidr]))).await;
    assert_eq!(environment(agent.asked().await).service_cidrs, [cidr]);
}

#[tokio::test(start_paused = true)]
async fn services_work_before_the_pod_networks_of_the_node_are_known() {
    let node_cidr = Config { local_pods: LocalPodDetection::NodeCidr, ..config() };
    let mut agent = Harness::start(node_cidr);
    agent.send(node(&["192.0.2.1"], &[])).await;
    agent.list().await;
    assert_eq!(environment(agent.asked().await).local_pods_v4, LocalPods::Unknown);
    agent.answer(Answer::Succeed);
    agent.send(node(&["192.0.2.1"], &["10.244.1.0/24"])).await;
    let pods = LocalPods::Source("10.244.1.0/24".parse().unwrap());
    assert_eq!(environment(agent.asked().await).local_pods_v4, pods);
}

#[tokio::test(start_paused = true)]
async fn interface_addresses_are_followed_and_kept_while_they_cannot_be_read() {
    let networks = vec!["192.0.2.0/24".parse().unwrap()];
    let config = Config { node_ports: NodePortSelection::Networks(networks), ..config() };
    let mut agent = Harness::start(config);
    *agent.interfaces.lock().unwrap() = Ok(vec!["192.0.2.1".parse().unwrap()]);
    agent.list().await;
    assert_eq!(environment(agent.asked().await).node_ports_v4, listed(&["192.0.2.1"]));
    agent.answer(Answer::Succeed);

    *agent.interfaces.lock().unwrap() = Err(io::ErrorKind::OutOfMemory.into());
    advance(RECHECK_ENVIRONMENT).await;
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]));
    agent.answer(Answer::Succeed);

    *agent.interfaces.lock().unwrap() = Ok(vec!["192.0.2.2".parse().unwrap()]);
    advance(RECHECK_ENVIRONMENT).await;
    assert_eq!(environment(agent.asked().await).node_ports_v4, listed(&["192.0.2.2"]));
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_panics_is_opened_again_and_converged() {
    let mut agent = Harness::synced(config()).await;
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]));
    assert_eq!(agent.kernel.opened.load(Ordering::SeqCst), 1);
    agent.answer(Answer::Panic);
    while agent.kernel.asked.is_empty() {
        settle().await;
        advance(Duration::from_secs(1)).await;
    }
    assert_eq!(plans(agent.asked().await), counts(&[("api", 0), ("web", 2)]));
    assert_eq!(agent.kernel.opened.load(Ordering::SeqCst), 2);
    agent.answer(Answer::Succeed);
    agent.send(slice_applied("web", &[1])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 1)]));
}

#[tokio::test(start_paused = true)]
async fn shutdown_does_not_wait_long_for_a_busy_backend() {
    let mut agent = Harness::synced(config()).await;
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]));
    let before = Instant::now();
    agent.shutdown.take().unwrap().send(()).unwrap();
    settle().await;
    advance(LAST_CALL).await;
    assert!((&mut agent.agent).await.unwrap().is_ok());
    assert_eq!(before.elapsed(), LAST_CALL);
}

#[tokio::test(start_paused = true)]
async fn shutdown_lets_a_call_end_that_is_about_to() {
    let mut agent = Harness::synced(config()).await;
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]));
    agent.answer(Answer::Succeed);
    let before = Instant::now();
    agent.stop().await.unwrap();
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn shutdown_works_before_anything_is_known() {
    Harness::start(config()).stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_cannot_be_opened_ends_the_agent_with_its_reason() {
    let open: OpenBackend = Box::new(|_| Err("CAP_NET_ADMIN is missing".into()));
    let agent = Harness::start_with(config(), open, fake_backend().1);
    let error = agent.agent.await.unwrap().unwrap_err();
    assert_eq!(crate::chain(&error), "the backend cannot be used: CAP_NET_ADMIN is missing");

    let open: OpenBackend = Box::new(|_| panic!("out of cheese"));
    let agent = Harness::start_with(config(), open, fake_backend().1);
    let error = agent.agent.await.unwrap().unwrap_err();
    assert!(crate::chain(&error).ends_with("out of cheese"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_ends_ends_the_agent() {
    let mut agent = Harness::start(config());
    (agent.events, _) = mpsc::channel(1);
    assert!(matches!(agent.agent.await.unwrap(), Err(AgentError::SourceEnded)));
}
