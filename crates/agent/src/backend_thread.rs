//! The backend's own thread: netlink calls block, and the loop must not.
//!
//! A panic in the backend becomes an error like any other, and the backend is dropped:
//! what it knew may be half written. The next converge opens a new one, which reads the
//! kernel afresh.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc as blocking;
use std::thread;
use std::time::{Duration, Instant};

use portolan_core::{
    Backend, BackendError, Change, CheckError, Draining, Environment, Remembered, ServicePlan,
    SyncReport,
};
use tokio::sync::mpsc;

use crate::config::BackendKind;
use crate::error::AgentError;

/// Opens the backend, on the thread it will work on: at start, where an error ends the
/// agent, and again after a panic, where it is retried.
pub type OpenBackend = Box<dyn FnMut(BackendKind) -> Result<Box<dyn Backend>, BackendError> + Send>;

/// One call of a backend.
#[derive(Debug)]
pub(crate) enum Work {
    Converge {
        plans: Vec<Arc<ServicePlan>>,
        environment: Environment,
    },
    Apply(Vec<Change>),
    /// The node's settings are others, the plans the same.
    Adapt(Environment),
    /// New connections take the way of another backend.
    Switch {
        to: BackendKind,
        plans: Vec<Arc<ServicePlan>>,
        environment: Environment,
    },
    /// To find out whether others changed what the backend keeps in the kernel.
    Check,
}

/// What a call did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Synced(SyncReport),
    Checked { disturbed: bool, remembered: Vec<Remembered> },
}

/// How a call went, and how long it took.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) result: Result<Done, WorkError>,
    pub(crate) facts: BackendFacts,
    pub(crate) took: Duration,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkError {
    #[error(transparent)]
    Backend(BackendError),
    /// Nothing but a look at the kernel: the backend works on with what it knows.
    #[error(transparent)]
    Unread(BackendError),
    #[error("the backend panicked and will be opened again: {0}")]
    Panicked(String),
    #[error("the backend was asked for changes before it was converged")]
    NotConverged,
}

impl From<CheckError> for WorkError {
    fn from(error: CheckError) -> WorkError {
        match error {
            CheckError::Unread(error) => WorkError::Unread(error),
            CheckError::InDoubt(error) => WorkError::Backend(error),
        }
    }
}

/// What the loop may know of a backend without asking its thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct BackendFacts {
    pub(crate) name: &'static str,
    pub(crate) atomic: bool,
    pub(crate) draining: Option<Draining>,
    /// What Services ask for and do not get although they are served.
    pub(crate) problems: Vec<String>,
}

impl BackendFacts {
    fn of(backend: &dyn Backend) -> BackendFacts {
        BackendFacts {
            name: backend.name(),
            atomic: backend.atomic(),
            draining: backend.draining(),
            problems: backend.problems(),
        }
    }
}

/// The loop's end of the thread.
pub(crate) struct BackendThread {
    pub(crate) facts: BackendFacts,
    work: blocking::Sender<Work>,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
}

impl BackendThread {
    /// Starts the thread and opens the backend on it.
    pub(crate) async fn start(
        kind: BackendKind,
        open: OpenBackend,
    ) -> Result<BackendThread, AgentError> {
        let (work, requests) = blocking::channel();
        let (outcomes_to, outcomes) = mpsc::unbounded_channel();
        let (facts_to, facts) = tokio::sync::oneshot::channel();
        thread::Builder::new()
            .name("backend".to_owned())
            .spawn(move || {
                let mut worker = Worker { kind, open, backend: None };
                let opened = worker.open_first();
                let usable = opened.is_ok();
                if facts_to.send(opened).is_ok() && usable {
                    worker.serve(&requests, &outcomes_to);
                }
            })
            .map_err(AgentError::Thread)?;
        let facts = facts.await.map_err(|_| AgentError::ThreadEnded)??;
        Ok(BackendThread { facts, work, outcomes })
    }

    /// Hands out a call. There must be no other on its way.
    pub(crate) fn send(&self, work: Work) -> Result<(), AgentError> {
        self.work.send(work).map_err(|_| AgentError::ThreadEnded)
    }

    /// The outcome of the call on its way; waits for ever if there is none. May be
    /// cancelled.
    pub(crate) async fn outcome(&mut self) -> Result<Outcome, AgentError> {
        let outcome = self.outcomes.recv().await.ok_or(AgentError::ThreadEnded)?;
        self.facts.clone_from(&outcome.facts);
        Ok(outcome)
    }
}

struct Worker {
    /// What is opened when there is none.
    kind: BackendKind,
    open: OpenBackend,
    backend: Option<Box<dyn Backend>>,
}

impl Worker {
    fn open_first(&mut self) -> Result<BackendFacts, AgentError> {
        match catch_unwind(AssertUnwindSafe(|| (self.open)(self.kind))) {
            Ok(Ok(backend)) => {
                let facts = BackendFacts::of(&*backend);
                self.backend = Some(backend);
                Ok(facts)
            }
            Ok(Err(error)) => Err(AgentError::Backend(error)),
            Err(panic) => Err(AgentError::BackendPanicked(panic_text(&*panic))),
        }
    }

    fn serve(
        &mut self,
        requests: &blocking::Receiver<Work>,
        outcomes: &mpsc::UnboundedSender<Outcome>,
    ) {
        // While the source lists what there is.
        let _ = self.survive(|worker| {
            worker.backend.iter_mut().for_each(|backend| backend.look_ahead());
        });
        while let Ok(work) = requests.recv() {
            let started = Instant::now();
            let result = self
                .survive(|worker| worker.perform(work))
                .unwrap_or_else(|panic| Err(WorkError::Panicked(panic)));
            let took = started.elapsed();
            let facts = match &self.backend {
                Some(backend) => BackendFacts::of(&**backend),
                None => BackendFacts { name: self.kind.name(), ..BackendFacts::default() },
            };
            if outcomes.send(Outcome { result, facts, took }).is_err() {
                return;
            }
        }
    }

    /// Does something with the backend, which is closed if it panics; says what it said then.
    fn survive<R>(&mut self, work: impl FnOnce(&mut Worker) -> R) -> Result<R, String> {
        catch_unwind(AssertUnwindSafe(|| work(self))).map_err(|panic| {
            let broken = self.backend.take();
            // A backend that panics in the middle may well panic again when dropped.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(broken)));
            panic_text(&*panic)
        })
    }

    fn perform(&mut self, work: Work) -> Result<Done, WorkError> {
        let done = match work {
            Work::Converge { plans, environment } => {
                let backend = match &mut self.backend {
                    Some(backend) => backend,
                    closed => closed.insert((self.open)(self.kind).map_err(WorkError::Backend)?),
                };
                backend.converge(&mut plans.iter(), &environment).map(Done::Synced)
            }
            Work::Apply(changes) => self.converged()?.apply(&changes).map(Done::Synced),
            Work::Adapt(environment) => self.converged()?.adapt(&environment).map(Done::Synced),
            Work::Switch { to, plans, environment } => {
                let switched = match &mut self.backend {
                    Some(backend) => backend.switch(to.name(), &mut plans.iter(), &environment),
                    // As a restart with the other backend.
                    closed => {
                        let mut backend = (self.open)(to).map_err(WorkError::Backend)?;
                        let converged = backend.converge(&mut plans.iter(), &environment);
                        *closed = converged.is_ok().then_some(backend);
                        converged
                    }
                };
                switched.inspect(|_| self.kind = to).map(Done::Synced)
            }
            Work::Check => {
                let backend = self.converged()?;
                let disturbed = backend.is_disturbed()?;
                Ok(Done::Checked { disturbed, remembered: backend.remembered() })
            }
        };
        done.map_err(WorkError::Backend)
    }

    fn converged(&mut self) -> Result<&mut Box<dyn Backend>, WorkError> {
        self.backend.as_mut().ok_or(WorkError::NotConverged)
    }
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "no reason given".to_owned(),
    }
}
