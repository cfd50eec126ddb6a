//! A node with pods of its own and others, one service, and the backend in one of its modes.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_core::{
    Backend as _, BackendError, Conditions, Endpoint, EndpointPort, EndpointSlice, Environment,
    Family, Index, ObjectName, Protocol, Service, ServicePort, ServiceType, SyncReport, Update,
};
use portolan_ipvs::{Dataplane, IpvsOptions, Mode};
use portolan_lab::{LongLived, Probe, Topology, TopologySpec};
use portolan_netlink::ipvs::{Ipvs, ServerKey};
use portolan_nft::NftOptions;

pub(crate) const PODS: u8 = 4;
const TCP_PORT: u16 = 8080;
const UDP_PORT: u16 = 5353;
const NODE_PORT: u16 = 30080;

pub(crate) struct Node {
    pub(crate) v6: bool,
    pub(crate) topology: Arc<Topology>,
    pub(crate) backend: Dataplane,
    index: Index,
    environment: Environment,
    options: IpvsOptions,
}

fn address(v6: bool, v4_text: &str, v6_text: &str) -> IpAddr {
    if v6 { v6_text } else { v4_text }.parse().unwrap()
}

pub(crate) fn pod(v6: bool, number: u8) -> IpAddr {
    address(v6, &format!("10.180.0.{number}"), &format!("fd00:10:180::{number}"))
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
        Node { v6, topology: Arc::new(topology), backend, index, environment, options }
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
    pub(crate) fn set_scheduler(&mut self, scheduler: &str) {
        self.options.scheduler = scheduler.to_owned();
        self.restart(Mode::Nftables);
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

    /// What the agent does every few seconds.
    pub(crate) fn look(&mut self) {
        let backend = &mut self.backend;
        assert!(!self.topology.node().run(|| backend.is_disturbed().unwrap()));
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
    let mut backend = Dataplane::open(mode, NftOptions::default(), options.clone()).unwrap();
    let report = backend.converge(&mut index.plans(), environment).unwrap();
    (backend, report.added + report.deleted)
}

fn client_pod(v6: bool) -> IpAddr {
    address(v6, "10.180.0.99", "fd00:10:180::99")
}

fn outside(v6: bool) -> IpAddr {
    address(v6, "192.168.0.100", "2001:db8::100")
}

fn node_address(v6: bool) -> IpAddr {
    address(v6, "192.168.0.2", "2001:db8::1")
}

fn cluster_ip(v6: bool) -> IpAddr {
    address(v6, "172.30.0.10", "fd00:172:30::10")
}

fn balancer(v6: bool) -> IpAddr {
    address(v6, "1.2.3.4", "2001:db8:5::4")
}

fn service(v6: bool) -> Service {
    let port = |name: &str, protocol| ServicePort {
        name: name.into(),
        protocol,
        port: 80,
        node_port: Some(NODE_PORT),
    };
    Service {
        service_type: ServiceType::LoadBalancer,
        cluster_ips: vec![cluster_ip(v6)],
        load_balancer_ips: vec![balancer(v6)],
        ports: vec![port("tcp", Protocol::Tcp), port("udp", Protocol::Udp)],
        ..Service::new(ObjectName::new("default", "echo"))
    }
}

fn slice(v6: bool) -> EndpointSlice {
    let endpoint = |number| Endpoint {
        address: pod(v6, number),
        conditions: Conditions::default(),
        node_name: Some(if number % 2 == 0 { "here" } else { "there" }.into()),
        hints: None,
    };
    let port = |name: &str, protocol, port| EndpointPort { name: name.into(), protocol, port };
    EndpointSlice {
        name: ObjectName::new("default", "echo-1"),
        service: ObjectName::new("default", "echo"),
        family: if v6 { Family::V6 } else { Family::V4 },
        trigger_time: None,
        ports: vec![port("tcp", Protocol::Tcp, TCP_PORT), port("udp", Protocol::Udp, UDP_PORT)],
        endpoints: (1..=PODS).map(endpoint).collect(),
    }
}

fn environment(v6: bool) -> Environment {
    let pods = if v6 { "fd00:10:180::/48" } else { "10.180.0.0/16" };
    let cidr = if v6 { "fd00:172:30::/112" } else { "172.30.0.0/16" };
    let local_pods = LocalPods::Source(pods.parse().unwrap());
    let node_ports = NodePortAddresses::Listed(vec![node_address(v6)]);
    let none = || NodePortAddresses::Listed(Vec::new());
    let [mut node_ports_v4, mut node_ports_v6] = [none(), none()];
    *(if v6 { &mut node_ports_v6 } else { &mut node_ports_v4 }) = node_ports;
    Environment {
        service_cidrs: vec![cidr.parse().unwrap()],
        node_ports_v4,
        node_ports_v6,
        local_pods_v4: local_pods.clone(),
        local_pods_v6: local_pods,
        localhost_node_ports: false,
    }
}
