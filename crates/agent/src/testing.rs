//! Objects for tests, and a backend with just enough state to be wrong.

mod warnings;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc as blocking;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use portolan_core::{
    Backend, BackendError, Change, Endpoint, EndpointPort, EndpointSlice, Environment, Family,
    NodeInfo, ObjectName, Protocol, Service, ServicePlan, ServicePort, ServiceType, SyncReport,
    Update,
};
use portolan_watch::{SourceEvent, WatchFailures};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

pub(crate) use self::warnings::count_warnings;

use crate::backend_thread::OpenBackend;
use crate::config::{Config, Given, Patience, Settings};
use crate::health::Health;
use crate::metrics::{FlowMetrics, HealthAnswers, LoopMetrics, Page, Parts, Readings};

/// A configuration without servers and without a wait for the Node.
pub(crate) fn config() -> Config {
    let settings = Settings {
        node_name: Some(Given::new("node-a".to_owned(), "test")),
        source: Some(Given::new("dir:/nowhere".to_owned(), "test")),
        ..Settings::default()
    };
    Config {
        healthz: None,
        metrics: None,
        control_socket: None,
        patience: Patience { node: Duration::ZERO, service_cidrs: Duration::ZERO },
        ..settings.resolve().unwrap()
    }
}

/// TCP port 80 of `10.96.0.LAST`.
pub(crate) fn service(name: &str, last: u8) -> Service {
    Service {
        cluster_ips: vec![IpAddr::from([10, 96, 0, last])],
        ports: vec![ServicePort {
            name: "".into(),
            protocol: Protocol::Tcp,
            port: 80,
            node_port: None,
        }],
        ..Service::new(ObjectName::new("default", name))
    }
}

/// Port 8080 of `10.244.0.LAST`, for each of `lasts`.
pub(crate) fn slice(service: &str, lasts: &[u8]) -> EndpointSlice {
    let endpoint = |last: &u8| Endpoint {
        address: IpAddr::from([10, 244, 0, *last]),
        conditions: Default::default(),
        node_name: None,
        hints: None,
    };
    EndpointSlice {
        name: ObjectName::new("default", &format!("{service}-slice")),
        service: ObjectName::new("default", service),
        family: Family::V4,
        ports: vec![EndpointPort { name: "".into(), protocol: Protocol::Tcp, port: 8080 }],
        endpoints: lasts.iter().map(endpoint).collect(),
        trigger_time: None,
    }
}

pub(crate) fn node(addresses: &[&str], pod_cidrs: &[&str]) -> SourceEvent {
    SourceEvent::Update(Update::NodeApplied(NodeInfo {
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        pod_cidrs: pod_cidrs.iter().map(|text| text.parse().unwrap()).collect(),
        ..NodeInfo::default()
    }))
}

pub(crate) fn services(services: Vec<Service>) -> SourceEvent {
    SourceEvent::Update(Update::ServicesReset(services))
}

pub(crate) fn slices(slices: Vec<EndpointSlice>) -> SourceEvent {
    SourceEvent::Update(Update::EndpointSlicesReset(slices))
}

pub(crate) fn slice_applied(service: &str, lasts: &[u8]) -> SourceEvent {
    SourceEvent::Update(Update::EndpointSliceApplied(slice(service, lasts)))
}

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

    fn is_disturbed(&mut self) -> Result<bool, BackendError> {
        match *self.disturbance.lock().unwrap() {
            Disturbance::None => Ok(false),
            Disturbance::Edited => Ok(true),
            Disturbance::Unreadable => Err("the fake kernel cannot be read".into()),
        }
    }
}

/// UDP port 53 of `10.96.0.LAST`.
pub(crate) fn udp_service(name: &str, last: u8) -> Service {
    let mut service = service(name, last);
    for port in &mut service.ports {
        (port.protocol, port.port) = (Protocol::Udp, 53);
    }
    service
}

/// UDP port 8080 of `10.244.0.LAST`, for each of `lasts`.
pub(crate) fn udp_slice(service: &str, lasts: &[u8]) -> EndpointSlice {
    let mut slice = slice(service, lasts);
    slice.ports.iter_mut().for_each(|port| port.protocol = Protocol::Udp);
    slice
}

/// Head and body of the answer to one request over a connection of its own.
pub(crate) async fn get(address: SocketAddr, path: &str) -> String {
    finish_get(TcpStream::connect(address).await.unwrap(), path).await
}

/// The same over a connection that is there already.
pub(crate) async fn finish_get(mut stream: TcpStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: node\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

/// A Service that load balancers ask for at `port`, like [`service`] otherwise.
pub(crate) fn balanced(name: &str, last: u8, port: u16) -> Service {
    Service {
        service_type: ServiceType::LoadBalancer,
        external_policy_local: true,
        health_check_node_port: Some(port),
        ..service(name, last)
    }
}

/// Like [`slice`], with all endpoints on this node.
pub(crate) fn local_slice(service: &str, lasts: &[u8]) -> EndpointSlice {
    let mut slice = slice(service, lasts);
    for endpoint in &mut slice.endpoints {
        endpoint.node_name = Some("node-a".into());
    }
    slice
}

/// The metrics page of an agent whose loop counts here.
pub(crate) fn page(agent: &LoopMetrics) -> Page {
    page_of(agent, &FlowMetrics::default(), &HealthAnswers::default(), Health::default())
}

/// The same of an agent that gave these answers.
pub(crate) fn page_telling(answers: &HealthAnswers) -> Page {
    page_of(&LoopMetrics::default(), &FlowMetrics::default(), answers, Health::default())
}

/// The same with other parts, of a process that nothing can be read of.
pub(crate) fn page_of(
    agent: &LoopMetrics,
    flows: &FlowMetrics,
    answers: &HealthAnswers,
    health: Health,
) -> Page {
    let parts = Parts {
        agent,
        flows,
        answers,
        failures: WatchFailures::default(),
        health: watch::Sender::new(health).subscribe(),
        loopback: Arc::default(),
    };
    Page::reading(parts, Timestamp::UNIX_EPOCH, Readings::default)
}

/// The value of a sample of a page, named with its labels.
pub(crate) fn sample(page: &str, name: &str) -> Option<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}
