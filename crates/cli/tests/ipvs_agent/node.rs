//! A node whose agent is a process of its own.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use portolan_agent::control::{Answer, Dump, Request, query};
use portolan_lab::{LongLived, NewConnections, Probe, Process, Protocol, Topology};
use portolan_netlink::ipvs::{Ipvs, ServerKey};
use tempfile::TempDir;

use crate::cluster;

/// Long enough for an emulated machine; nothing waits for so long unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Longer than any test: connections that drain stay.
pub(crate) const LONG: &[&str] = &["--drain-timeout=1h"];
/// Connections from which one can tell which way they go.
const ATTEMPTS: u32 = 3;
const METRICS: &str = "127.0.0.1:10249";

/// The other backend.
pub(crate) fn other(backend: &'static str) -> &'static str {
    if backend == "ipvs" { "nftables" } else { "ipvs" }
}

/// A node, what its agent is told, and the agent.
pub(crate) struct Node {
    pub(crate) topology: Arc<Topology>,
    directory: TempDir,
    agent: Option<Process>,
}

impl Node {
    pub(crate) fn new() -> Node {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("manifests")).unwrap();
        fs::write(directory.path().join("manifests/all.json"), cluster::manifests()).unwrap();
        let topology = Arc::new(cluster::topology().build().unwrap());
        Node { topology, directory, agent: None }
    }

    /// A node that serves already.
    pub(crate) fn serving(backend: &'static str, more: &[&str]) -> Node {
        let mut node = Node::new();
        node.start(&[&["--backend", backend], more].concat());
        node
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> R {
        self.topology.node().run(work)
    }

    /// Starts the agent and waits for its first sync.
    pub(crate) fn start(&mut self, more: &[&str]) {
        let log = File::options().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = self.portolan("run");
        command
            .args(["--node-name", "here", "--nodeport-addresses", cluster::NODE_NETWORKS])
            .args(["--cluster-cidr", cluster::POD_NETWORKS, "--healthz-bind-address="])
            .arg("--source")
            .arg(format!("dir:{}", self.path("manifests").display()))
            .args(more)
            .stdout(Stdio::null())
            .stderr(log);
        self.agent = Some(self.topology.node().spawn(command).unwrap());
        self.until("the first sync", |node| node.dump().filter(|dump| dump.status.synced));
    }

    /// Ends the agent as an upgrade does.
    pub(crate) fn stop(&mut self) {
        assert!(self.agent.take().unwrap().terminate(PATIENCE).unwrap().success());
    }

    /// Ends the agent without a word to it.
    pub(crate) fn kill(&mut self) {
        drop(self.agent.take());
    }

    /// A command of the binary, which knows where the agent listens.
    pub(crate) fn portolan(&self, command: &str) -> Command {
        let mut portolan = Command::new(env!("CARGO_BIN_EXE_portolan"));
        portolan.arg(command).arg("--control-socket").arg(self.path("control.sock"));
        portolan
    }

    pub(crate) fn switch(&self, to: &str) -> Output {
        self.portolan("switch").arg(to).output().unwrap()
    }

    /// What the agent serves, if there is one.
    pub(crate) fn dump(&self) -> Option<Box<Dump>> {
        match query(&self.path("control.sock"), Request::Dump) {
            Ok(Answer::Dump(dump)) => Some(dump),
            _ => None,
        }
    }

    /// What operators read.
    pub(crate) fn dump_text(&self) -> String {
        let output = self.portolan("dump").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What Prometheus reads.
    pub(crate) fn metrics(&self, path: &str) -> String {
        self.run(|| {
            let mut stream = TcpStream::connect(METRICS).unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: node\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        })
    }

    /// The value of a sample of the metrics.
    pub(crate) fn sample(&self, name: &str) -> Option<f64> {
        let page = self.metrics("/metrics");
        let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map(|value| value.parse().unwrap())
    }

    /// What all agents have said so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Waits until something has happened.
    pub(crate) fn until<T>(&self, what: &str, mut happened: impl FnMut(&Node) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(result) = happened(self) {
                return result;
            }
            assert!(Instant::now() < deadline, "{what}: not yet\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// So many TCP connections and so many flows of UDP, which connection tracking does not
    /// forget on a slow machine.
    pub(crate) fn clients(&self, connections: usize, flows: usize) -> Clients {
        for kind in ["", "_stream"] {
            let sysctl = format!("net.netfilter.nf_conntrack_udp_timeout{kind}");
            self.topology.node().set_sysctl(&sysctl, "600").unwrap();
        }
        Clients(LongLived::connect(&self.topology, &cluster::uses(), connections, flows).unwrap())
    }

    /// Clients that come all the while.
    pub(crate) fn new_connections(&self) -> NewConnections {
        let uses: Vec<_> = cluster::uses().into_iter().step_by(3).collect();
        NewConnections::start(&self.topology, &uses)
    }

    /// New connections go this way, in both families.
    pub(crate) fn new_connections_go_through(&self, backend: &str, when: &str) {
        let with_ipvs = cluster::cluster_ips().map(|ip| self.is_new_connection_with_ipvs(ip));
        assert_eq!(with_ipvs, [backend == "ipvs"; 2], "{when}: {backend}\n{}", self.log());
    }

    /// Whether IPVS has another one after a new connection. One that ended two minutes ago may
    /// be forgotten at the same moment, so it is tried again before it is denied.
    fn is_new_connection_with_ipvs(&self, ip: IpAddr) -> bool {
        let address = SocketAddr::new(ip, 80);
        let key = ServerKey::Address { protocol: 6, address };
        let connections = || {
            let destinations = Ipvs::open().unwrap().destinations(&key).unwrap_or_default();
            destinations.iter().map(|it| it.active + it.inactive).sum::<u32>()
        };
        let uses = cluster::uses();
        let (client, _) = uses.iter().find(|(_, used)| *used == address).unwrap();
        let probe = Probe::new(*client, Protocol::Tcp, address).within(PATIENCE);
        (0..ATTEMPTS).any(|_| {
            let before = self.run(connections);
            let outcome = self.topology.probe(&probe);
            assert!(outcome.endpoint().is_some(), "{outcome:?}");
            self.run(connections) > before
        })
    }
}

/// Clients that keep their connections and sockets.
pub(crate) struct Clients(LongLived);

impl Clients {
    /// Every connection echoes its next number, and every flow is answered by its endpoint.
    pub(crate) fn talk(&mut self, when: &str) {
        assert_eq!(self.0.talk(), Vec::<String>::new(), "{when}");
    }
}

/// Nobody who came meanwhile was turned away.
pub(crate) fn served(new_connections: NewConnections, at_least: usize) {
    let (count, failures) = new_connections.stop();
    assert_eq!(failures, Vec::<String>::new(), "of {count} new connections");
    assert!(count >= at_least, "only {count} new connections");
}
