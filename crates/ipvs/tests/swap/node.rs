//! A node with pods of its own and others, one service, and the backend in one of its modes.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portolan_core::{Backend as _, BackendError, Environment, Index, Service, SyncReport, Update};
use portolan_ipvs::{Dataplane, IpvsOptions, Mode};
use portolan_lab::{LongLived, Probe, Topology, TopologySpec};
use portolan_netlink::ipvs::{Ipvs, ServerKey};
use portolan_nft::NftOptions;

use crate::objects::{
    NODE_PORT, PODS, TCP_PORT, UDP_PORT, balancer, client_pod, cluster_ip, environment,
    node_address, outside, pod, service, slice,
};

pub(crate) struct Node {
    pub(crate) v6: bool,
    pub(crate) topology: Arc<Topology>,
    pub(crate) backend: Dataplane,
    index: Index,
    environment: Environment,
    options: IpvsOptions,
    later: Duration,
}

impl Node {
    /// Half of the pods are on other nodes.
    pub(crate) fn start(v6: bool, mode: Mode, drain_for: Duration) -> Node {
        let mut spec = TopologySpec::default();
        for number in 1..=PODS {
            let pod = pod(v6, number);
            spec = if number % 2 == 0 { spec.pod(pod) } else { spec.remote_pod(pod) };
            spec = spec.server(pod, portolan_lab::Protocol::Tcp, TCP_PORT);
            spec = spec.server(pod, portolan_lab::Protocol::Udp, UDP_PORT);
        }
        spec = spec.pod(client_pod(v6)).client(outside(v6));
        let topology = spec.build().unwrap();
        let mut index = Index::new("here");
        index.apply(Update::ServicesReset(vec![service(v6)]));
        index.apply(Update::EndpointSlicesReset(vec![slice(v6)]));
        index.take_changes();
        let environment = environment(v6);
        let options = IpvsOptions { drain_for, ..IpvsOptions::default() };
        let backend = topology.node().run(|| open(mode, &options, &index, &environment).0);
        let (topology, later) = (Arc::new(topology), Duration::ZERO);
        Node { v6, topology, backend, index, environment, options, later }
    }

    pub(crate) fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.topology.node().run(work)
    }

    pub(crate) fn switch(&mut self, to: Mode) -> Result<(), BackendError> {
        let plans: Vec<_> = self.index.plans().cloned().collect();
        let (backend, environment) = (&mut self.backend, &self.environment);
        self.topology
            .node()
            .run(|| backend.switch(to.name(), &mut plans.iter(), environment).map(|_| ()))
    }

    /// Only these pods are endpoints from now on.
    pub(crate) fn serve(&mut self, numbers: &[u8]) -> SyncReport {
        let mut slice = slice(self.v6);
        let kept: Vec<IpAddr> = numbers.iter().map(|number| pod(self.v6, *number)).collect();
        slice.endpoints.retain(|endpoint| kept.contains(&endpoint.address));
        self.update(Update::EndpointSliceApplied(slice))
    }

    /// The Service asks for another scheduler.
    pub(crate) fn choose(&mut self, scheduler: Option<&str>) -> SyncReport {
        let ipvs_scheduler = scheduler.map(|text| text.parse().unwrap());
        self.update(Update::ServiceApplied(Service { ipvs_scheduler, ..service(self.v6) }))
    }

    /// The next process has another `--ipvs-scheduler`. It has begun to serve.
    pub(crate) fn set_scheduler(&mut self, scheduler: &str, mode: Mode) {
        self.options.scheduler = scheduler.to_owned();
        self.restart(mode);
    }

    /// The next process has another `--ipvs-mark-bit`. It has begun to serve.
    pub(crate) fn set_mark_bit(&mut self, bit: u8, mode: Mode) {
        self.options.mark_bit = bit;
        self.restart(mode);
    }

    /// The backend follows what a source reports.
    pub(crate) fn update(&mut self, update: Update) -> SyncReport {
        self.index.apply(update);
        let changes = self.index.take_changes();
        let backend = &mut self.backend;
        self.topology.node().run(|| backend.apply(&changes).unwrap())
    }

    /// What the agent does after others have disturbed it.
    pub(crate) fn converge(&mut self) {
        let (backend, index, environment) = (&mut self.backend, &self.index, &self.environment);
        self.topology.node().run(|| backend.converge(&mut index.plans(), environment).unwrap());
    }

    /// Who answers new connections from a pod and from outside, asked often enough to meet
    /// everybody.
    pub(crate) fn answers(&self) -> BTreeSet<IpAddr> {
        let ask = |(client, address): (IpAddr, SocketAddr)| {
            let probe = Probe::new(client, portolan_lab::Protocol::Tcp, address);
            self.topology.probe_repeatedly(&probe.within(Duration::from_secs(10)), 12)
        };
        let outcomes = self.frontends().into_iter().flat_map(ask);
        outcomes.map(|outcome| outcome.endpoint().unwrap().ip()).collect()
    }

    /// Another process takes over, without a word from this one. Returns how much it sent.
    pub(crate) fn restart(&mut self, mode: Mode) -> usize {
        let (index, environment, options) = (&self.index, &self.environment, &self.options);
        let (backend, sent) = self.topology.node().run(|| open(mode, options, index, environment));
        self.backend = backend;
        sent
    }

    /// The same while the process may open one more file, and no second one.
    pub(crate) fn restart_short_of_files(&mut self, mode: Mode) {
        let (index, environment, options) = (&self.index, &self.environment, &self.options);
        self.backend = self.topology.node().run(|| {
            let mut backend = Dataplane::open(mode, nft(options), options.clone()).unwrap();
            let files = std::iter::from_fn(|| File::open("/dev/null").ok());
            let mut all: Vec<File> = files.collect();
            all.pop();
            backend.converge(&mut index.plans(), environment).unwrap();
            backend
        });
    }

    /// What the agent does every few seconds.
    pub(crate) fn look(&mut self) {
        let backend = &mut self.backend;
        assert!(!self.topology.node().run(|| backend.is_disturbed().unwrap()));
    }

    /// Whether that finds out that others changed something, when everything may be compared:
    /// each time so long after the time before.
    pub(crate) fn is_disturbed_later(&mut self) -> bool {
        self.later += Duration::from_secs(3600);
        let (now, backend) = (Instant::now() + self.later, &mut self.backend);
        self.topology.node().run(|| backend.is_disturbed_at(now).unwrap())
    }

    /// Clients and the addresses that they use.
    pub(crate) fn frontends(&self) -> Vec<(IpAddr, SocketAddr)> {
        let (cluster_ip, balancer, node) =
            (cluster_ip(self.v6), balancer(self.v6), node_address(self.v6));
        vec![
            (client_pod(self.v6), SocketAddr::new(cluster_ip, 80)),
            (client_pod(self.v6), SocketAddr::new(balancer, 80)),
            (node, SocketAddr::new(cluster_ip, 80)),
            (outside(self.v6), SocketAddr::new(balancer, 80)),
            (outside(self.v6), SocketAddr::new(node, NODE_PORT)),
        ]
    }

    /// Whether IPVS counts a connection that begins now.
    pub(crate) fn is_new_connection_with_ipvs(&self) -> bool {
        let address = SocketAddr::new(cluster_ip(self.v6), 80);
        let key = ServerKey::Address { protocol: 6, address };
        let count = || {
            let destinations = Ipvs::open().unwrap().destinations(&key).unwrap();
            destinations.iter().map(|it| it.active + it.inactive).sum::<u32>()
        };
        let before = self.run(count);
        let probe = Probe::new(client_pod(self.v6), portolan_lab::Protocol::Tcp, address);
        let outcome = self.topology.probe(&probe.within(Duration::from_secs(10)));
        assert!(outcome.endpoint().is_some(), "{outcome:?}");
        self.run(count) > before
    }
}

/// Clients that keep their connections and sockets.
pub(crate) struct Clients(LongLived);

impl Clients {
    /// So many TCP connections and so many UDP flows, spread over all frontends.
    pub(crate) fn connect(node: &Node, connections: usize, flows: usize) -> Clients {
        let uses = node.frontends();
        Clients(LongLived::connect(&node.topology, &uses, connections, flows).unwrap())
    }

    /// Every connection echoes its next number, and every flow is answered by its endpoint.
    pub(crate) fn talk(&mut self, when: &str) {
        assert_eq!(self.0.talk(), Vec::<String>::new(), "{when}");
    }
}

fn open(
    mode: Mode,
    options: &IpvsOptions,
    index: &Index,
    environment: &Environment,
) -> (Dataplane, usize) {
    let mut backend = Dataplane::open(mode, nft(options), options.clone()).unwrap();
    let report = backend.converge(&mut index.plans(), environment).unwrap();
    (backend, report.added + report.deleted)
}

fn nft(options: &IpvsOptions) -> NftOptions {
    NftOptions { ipvs_bit: options.mark_bit, ..NftOptions::default() }
}
