//! The source under test, with what it sends.

use std::time::Duration;

use portolan_core::Update;
use portolan_watch::{KubeConfig, SourceEvent, WatchError, WatchFailures, run_kube};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::fake_server::{Call, FakeServer, Watch};

/// In virtual time, which passes only when nothing else is left to do.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

pub(crate) struct Source {
    pub(crate) server: FakeServer,
    pub(crate) failures: WatchFailures,
    events: mpsc::Receiver<SourceEvent>,
    task: JoinHandle<Result<(), WatchError>>,
}

impl Source {
    pub(crate) fn start() -> Source {
        let (server, client) = FakeServer::start();
        let (sender, events) = mpsc::channel(1);
        let failures = WatchFailures::default();
        let config = KubeConfig { node_name: "node-1".to_owned(), failures: failures.clone() };
        let task = tokio::spawn(run_kube(client, config, sender));
        Source { server, failures, events, task }
    }

    /// Starts, and answers the first request for a resource with a streaming list.
    pub(crate) async fn start_streaming(resource: &str) -> (Source, Watch) {
        let mut source = Source::start();
        let watch = source.server.call(resource).await.watch();
        (source, watch)
    }

    pub(crate) async fn next(&mut self) -> SourceEvent {
        tokio::time::timeout(PATIENCE, self.events.recv()).await.unwrap().unwrap()
    }

    /// The next event while nothing happens to a resource: its watches are answered, and
    /// stay open without a word.
    pub(crate) async fn next_while_silent(&mut self, resource: &str) -> SourceEvent {
        let mut watches = Vec::new();
        loop {
            tokio::select! {
                event = self.events.recv() => return event.unwrap(),
                call = self.server.call(resource) => watches.push(call.watch()),
            }
        }
    }

    /// How often a resource is asked for within this time, if each request is answered so.
    pub(crate) async fn requests_within(
        &mut self,
        time: Duration,
        resource: &str,
        answer: impl Fn(Call),
    ) -> usize {
        let end = tokio::time::Instant::now() + time;
        let mut count = 0;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(end) => return count,
                event = self.events.recv() => drop(event.unwrap()),
                call = self.server.call(resource) => {
                    count += 1;
                    answer(call);
                }
            }
        }
    }

    pub(crate) async fn next_update(&mut self) -> Update {
        match self.next().await {
            SourceEvent::Update(update) => update,
            other => panic!("{other:?} is no update"),
        }
    }

    /// The next event, which must be problems: origin and texts.
    pub(crate) async fn next_problems(&mut self) -> (String, Vec<String>) {
        match self.next().await {
            SourceEvent::Problems { origin, problems } => {
                (origin, problems.iter().map(ToString::to_string).collect())
            }
            other => panic!("{other:?} are no problems"),
        }
    }

    /// The names of the Services in the next event, which must be a reset.
    pub(crate) async fn next_services(&mut self) -> Vec<String> {
        match self.next_update().await {
            Update::ServicesReset(services) => {
                services.iter().map(|service| service.name.name.to_string()).collect()
            }
            other => panic!("{other:?} is no reset of Services"),
        }
    }

    pub(crate) async fn stop(self) {
        drop(self.events);
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap().unwrap();
    }
}
