//! Follows the objects of one kind for as long as somebody listens.

mod trouble;

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, DefaultBackoff, Event, watcher};
use kube::{Api, Client, Resource};
use portolan_core::ObjectKind;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::object::ApiObject;
use super::outage::{Outage, Unreachable};
use super::pace::paced;
use super::reaction::{Reaction, Strategy, describe, react};
use super::translate::Translator;
use super::{KubeConfig, WatchFailures};
use crate::event::SourceEvent;

/// How long the server may keep a watch open. A connection that died without a sign is
/// noticed 5 s later.
pub(super) const WATCH_SECONDS: u32 = 60;

/// A server too old for streaming lists ignores the request for one: it sends the objects
/// as it always did, and never says that they are complete. This long a silence tells.
const STREAMING_PATIENCE: Duration = Duration::from_secs(15);

/// After this long a silence a list will not come any more.
const LIST_PATIENCE: Duration = Duration::from_secs(120);

/// A watch that resumes says nothing until something happens. If no further error comes
/// within this time, which is longer than the longest back-off, it has resumed.
const RECOVERED_AFTER: Duration = Duration::from_secs(90);

/// How soon to look again for an API that we can do without.
const DO_WITHOUT: Duration = Duration::from_secs(300);

/// How far a watch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has arrived.
    Connecting,
    /// The initial state is arriving.
    Listing,
    /// The initial state is complete.
    Watching,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Take the next event.
    GoOn,
    /// Begin with a new watch.
    Restart,
    /// Nobody listens any more.
    Stop,
}

pub(super) struct Follower {
    api: Api<ApiObject>,
    kind: ObjectKind,
    selection: watcher::Config,
    translator: Translator,
    sender: mpsc::Sender<SourceEvent>,
    strategy: Strategy,
    backoff: DefaultBackoff,
    phase: Phase,
    /// Initial states that ended without being complete, in a row.
    unfinished: u32,
    /// Errors since the last sign of life.
    errors: u32,
    /// What was said to be wrong with the watch.
    trouble: Option<String>,
    /// Errors of every follower.
    failures: WatchFailures,
    /// No answer came the last time.
    unreachable: bool,
    /// The same of every follower.
    outage: Outage,
}

impl Follower {
    pub(super) fn new(
        client: Client,
        kind: ObjectKind,
        config: &KubeConfig,
        sender: mpsc::Sender<SourceEvent>,
        outage: Outage,
    ) -> Follower {
        Follower {
            api: Api::all_with(paced(client, ApiObject::plural(&kind).into_owned()), &kind),
            kind,
            selection: selection(kind, &config.node_name),
            translator: Translator::new(kind, &config.node_name),
            sender,
            strategy: Strategy::Streaming,
            backoff: DefaultBackoff::default(),
            phase: Phase::Connecting,
            unfinished: 0,
            errors: 0,
            trouble: None,
            failures: config.failures.clone(),
            unreachable: false,
            outage,
        }
    }

    /// Follows until nobody listens.
    pub(super) async fn run(mut self) {
        while self.watch_once().await != Next::Stop {}
    }

    /// One watch, from the initial state to an error after which it has to start over.
    async fn watch_once(&mut self) -> Next {
        let config = match self.strategy {
            Strategy::Streaming => self.selection.clone().streaming_lists(),
            // In pages it would not come from the server's cache but from etcd, for every
            // node of the cluster.
            Strategy::List => {
                watcher::Config { page_size: None, ..self.selection.clone().any_semantic() }
            }
        };
        let mut stream = pin!(watcher(self.api.clone(), config));
        self.phase = Phase::Connecting;
        loop {
            let event = tokio::select! {
                () = self.sender.closed() => return Next::Stop,
                event = timeout(self.patience(), stream.next()) => event,
            };
            let next = match event {
                Ok(Some(Ok(event))) => self.event(event).await,
                Ok(Some(Err(error))) => self.error(&error).await,
                Ok(None) => Next::Restart,
                Err(_elapsed) => self.silence().await,
            };
            if next != Next::GoOn {
                return next;
            }
        }
    }

    /// How long a silence means nothing.
    fn patience(&self) -> Duration {
        match (self.phase, self.strategy) {
            (Phase::Listing, Strategy::Streaming) => STREAMING_PATIENCE,
            (Phase::Listing, Strategy::List) => LIST_PATIENCE,
            (Phase::Watching, _) if self.errors > 0 => RECOVERED_AFTER,
            (Phase::Connecting | Phase::Watching, _) => Duration::MAX,
        }
    }

    async fn event(&mut self, event: Event<ApiObject>) -> Next {
        match &event {
            Event::Init if self.phase == Phase::Listing => {
                self.unfinished += 1;
                if self.strategy == Strategy::Streaming && self.unfinished > 1 {
                    return self.fall_back("the server ends them before they are complete");
                }
            }
            Event::Init => self.phase = Phase::Listing,
            Event::InitApply(_) => {}
            Event::InitDone | Event::Apply(_) | Event::Delete(_) => {
                self.phase = Phase::Watching;
                self.unfinished = 0;
                if !self.mended().await {
                    return Next::Stop;
                }
            }
        }
        for event in self.translator.translate(event) {
            if self.sender.send(event).await.is_err() {
                return Next::Stop;
            }
        }
        Next::GoOn
    }

    async fn error(&mut self, error: &watcher::Error) -> Next {
        let listing = self.phase != Phase::Watching;
        let optional = self.kind == ObjectKind::ServiceCIDR;
        let text = describe(error, &ApiObject::plural(&self.kind));
        tracing::debug!(kind = %self.kind, error = text, "watch failed");
        self.failures.count(self.kind);
        self.unreachable = Unreachable::is_behind(error);
        if listing {
            self.phase = Phase::Connecting;
        }
        match react(error, self.strategy, listing, optional) {
            Reaction::FallBack => self.fall_back(&text),
            Reaction::StartOver => {
                self.backoff.reset();
                Next::Restart
            }
            Reaction::Retry => self.wait(text, None, Next::GoOn).await,
            Reaction::Restart => self.wait(text, None, Next::Restart).await,
            Reaction::DoWithout => {
                let text = format!("{text}; connections to unused ClusterIPs are not dropped");
                // It will not pass, and the next error is far off.
                self.errors = self.errors.max(1);
                self.wait(text, Some(DO_WITHOUT), Next::Restart).await
            }
        }
    }

    async fn silence(&mut self) -> Next {
        match (self.phase, self.strategy) {
            (Phase::Listing, Strategy::Streaming) => {
                self.fall_back("the server does not say when they are complete")
            }
            (Phase::Listing, Strategy::List) => {
                self.wait("no answer to a list".to_owned(), None, Next::Restart).await
            }
            (Phase::Connecting | Phase::Watching, _) => {
                if self.mended().await {
                    Next::GoOn
                } else {
                    Next::Stop
                }
            }
        }
    }

    /// Asks for lists from now on.
    fn fall_back(&mut self, why: &str) -> Next {
        tracing::debug!(kind = %self.kind, why, "no streaming lists");
        self.strategy = Strategy::List;
        Next::Restart
    }
}

/// What the server is asked for: the same as by kube-proxy.
fn selection(kind: ObjectKind, node_name: &str) -> watcher::Config {
    let config = watcher::Config::default().timeout(WATCH_SECONDS);
    match kind {
        ObjectKind::Service => config
            .labels("!service.kubernetes.io/service-proxy-name")
            .fields("spec.clusterIP!=None"),
        ObjectKind::EndpointSlice => config.labels("!service.kubernetes.io/headless"),
        ObjectKind::Node => config.fields(&format!("metadata.name={node_name}")),
        ObjectKind::ServiceCIDR => config,
    }
}
