//! A backend with just enough state to be wrong.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex};

use portolan_core::{
    Backend, BackendError, Change, CheckError, Environment, ObjectName, ServicePlan, SyncReport,
};
use tokio::sync::mpsc;

use crate::backend_thread::OpenBackend;

/// What the backend was asked.
#[derive(Debug, PartialEq)]
pub(crate) enum Asked {
    /// To converge: the number of endpoints by service, and the environment.
    Converge(BTreeMap<String, usize>, Environment),
    /// To apply: the number of endpoints by service, `None` if it goes.
    Apply(BTreeMap<String, Option<usize>>),
    Adapt(Environment),
    /// To change to the backend of this name.
    Switch(String),
}

/// What the backend shall do with it.
#[derive(Debug)]
pub(crate) enum Answer {
    Succeed,
    Fail,
    Panic,
}

/// What others do to the fake kernel, until it is converged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Disturbance {
    None,
    Edited,
    Unreadable,
}

/// Holds plans like a kernel, waits for the test's word in every call, and refuses a
/// change that does not start from what it holds.
struct FakeBackend {
    kernel: BTreeMap<ObjectName, Arc<ServicePlan>>,
    asked: mpsc::UnboundedSender<Asked>,
    answers: Arc<Mutex<blocking::Receiver<Answer>>>,
    disturbance: Arc<Mutex<Disturbance>>,
}

/// The test's end of the fake backend.
pub(crate) struct FakeKernel {
    pub(crate) asked: mpsc::UnboundedReceiver<Asked>,
    pub(crate) answers: blocking::Sender<Answer>,
    /// How often the backend was opened.
    pub(crate) opened: Arc<AtomicUsize>,
    pub(crate) disturbance: Arc<Mutex<Disturbance>>,
}

pub(crate) fn fake_backend() -> (OpenBackend, FakeKernel) {
    let (asked_to, asked) = mpsc::unbounded_channel();
    let (answers_to, answers) = blocking::channel();
    let answers = Arc::new(Mutex::new(answers));
    let opened = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&opened);
    let disturbance = Arc::new(Mutex::new(Disturbance::None));
    let disturbed = Arc::clone(&disturbance);
    let open: OpenBackend = Box::new(move |_| {
        counter.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(FakeBackend {
            kernel: BTreeMap::new(),
            asked: asked_to.clone(),
            answers: Arc::clone(&answers),
            disturbance: Arc::clone(&disturbed),
        }))
    });
    (open, FakeKernel { asked, answers: answers_to, opened, disturbance })
}

pub(crate) fn endpoints(plan: &ServicePlan) -> usize {
    plan.ports.iter().map(|port| port.cluster.len()).sum()
}

impl FakeBackend {
    fn ask(&self, asked: Asked) -> Result<SyncReport, BackendError> {
        let _ = self.asked.send(asked);
        // The lock is released before the panic, which would poison it.
        let answer = self.answers.lock().unwrap().recv();
        match answer {
            Ok(Answer::Succeed) => Ok(SyncReport::default()),
            Ok(Answer::Panic) => panic!("the fake backend was told to panic"),
            Ok(Answer::Fail) | Err(_) => Err("the fake backend was told to fail".into()),
        }
    }
}

impl Backend for FakeBackend {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn atomic(&self) -> bool {
        true
    }

    fn converge(
        &mut self,
        plans: &mut dyn Iterator<Item = &Arc<ServicePlan>>,
        environment: &Environment,
    ) -> Result<SyncReport, BackendError> {
        let plans: BTreeMap<_, _> = plans.map(|plan| (plan.name.clone(), plan.clone())).collect();
        let counts =
            plans.iter().map(|(name, plan)| (name.name.to_string(), endpoints(plan))).collect();
        let report = self.ask(Asked::Converge(counts, environment.clone()))?;
        self.kernel = plans;
        *self.disturbance.lock().unwrap() = Disturbance::None;
        Ok(report)
    }

    fn apply(&mut self, changes: &[Change]) -> Result<SyncReport, BackendError> {
        for change in changes {
            assert_eq!(self.kernel.get(&change.service), change.old.as_ref(), "old is not held");
        }
        let counts = changes
            .iter()
            .map(|change| (change.service.name.to_string(), change.new.as_deref().map(endpoints)));
        let report = self.ask(Asked::Apply(counts.collect()))?;
        for change in changes {
            match &change.new {
                Some(plan) => self.kernel.insert(change.service.clone(), Arc::clone(plan)),
                None => self.kernel.remove(&change.service),
            };
        }
        Ok(report)
    }

    fn adapt(&mut self, environment: &Environment) -> Result<SyncReport, BackendError> {
        self.ask(Asked::Adapt(environment.clone()))
    }

    fn switch(
        &mut self,
        to: &str,
        plans: &mut dyn Iterator<Item = &Arc<ServicePlan>>,
        _: &Environment,
    ) -> Result<SyncReport, BackendError> {
        let report = self.ask(Asked::Switch(to.to_owned()))?;
        self.kernel = plans.map(|plan| (plan.name.clone(), plan.clone())).collect();
        Ok(report)
    }

    fn is_disturbed(&mut self) -> Result<bool, CheckError> {
        match *self.disturbance.lock().unwrap() {
            Disturbance::None => Ok(false),
            Disturbance::Edited => Ok(true),
            Disturbance::Unreadable => {
                Err(CheckError::Unread("the fake kernel cannot be read".into()))
            }
        }
    }
}
