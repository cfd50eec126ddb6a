//! An agent whose source, backend, interfaces and end are the test's.

use std::io;
use std::net::IpAddr;
use std::sync::Mutex;
use std::sync::mpsc as blocking;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

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

pub(super) struct Harness {
    pub(super) events: mpsc::Sender<SourceEvent>,
    pub(super) kernel: FakeKernel,
    pub(super) shutdown: Option<oneshot::Sender<()>>,
    pub(super) agent: JoinHandle<Result<(), AgentError>>,
    pub(super) interfaces: Arc<Mutex<io::Result<Vec<IpAddr>>>>,
    /// Tokio's paused clock runs ahead when nothing is left to do, unless a blocking
    /// task is still running. This one runs until it is dropped.
    _still: blocking::Sender<()>,
}

impl Harness {
    pub(super) fn start(config: Config) -> Harness {
        let (open, kernel) = fake_backend();
        Harness::start_with(config, open, kernel)
    }

    pub(super) fn start_with(
        config: impl Into<Loaded>,
        open: OpenBackend,
        kernel: FakeKernel,
    ) -> Harness {
        let interfaces = Arc::new(Mutex::new(io::Result::Ok(Vec::new())));
        let shared = Arc::clone(&interfaces);
        let read: ReadInterfaces = Box::new(move || match &*shared.lock().unwrap() {
            Ok(addresses) => Ok(addresses.clone()),
            Err(error) => Err(error.kind().into()),
        });
        Harness { interfaces, ..Harness::start_reading(config, open, kernel, read) }
    }

    /// With `read` in place of `interfaces`.
    pub(super) fn start_reading(
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
    pub(super) async fn synced(config: Config) -> Harness {
        let mut harness = Harness::start(config);
        harness.list().await;
        assert!(matches!(harness.asked().await, Asked::Converge(..)));
        harness.answer(Answer::Succeed);
        harness
    }

    pub(super) async fn list(&self) {
        self.send(services(vec![service("web", 1), service("api", 2)])).await;
        self.send(slices(vec![slice("web", &[1])])).await;
    }

    pub(super) async fn send(&self, event: SourceEvent) {
        self.events.send(event).await.unwrap();
        // What the agent takes out of the channel it has taken in before it yields.
        while self.events.capacity() < self.events.max_capacity() {
            settle().await;
        }
    }

    pub(super) async fn asked(&mut self) -> Asked {
        self.kernel.asked.recv().await.expect("the agent ended")
    }

    pub(super) fn answer(&self, answer: Answer) {
        self.kernel.answers.send(answer).unwrap();
    }

    pub(super) async fn stop(mut self) -> Result<(), AgentError> {
        self.shutdown.take().unwrap().send(()).unwrap();
        self.agent.await.unwrap()
    }
}

/// Lets the backend's thread, which runs in real time, get on.
pub(super) async fn settle() {
    std::thread::sleep(Duration::from_millis(1));
    tokio::task::yield_now().await;
}
