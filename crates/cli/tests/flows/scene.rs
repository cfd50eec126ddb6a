//! A node whose agent follows a directory.

use std::fs::{self, File};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use portolan_lab::{Process, Topology, TopologySpec};
use portolan_netlink::conntrack::{Conntrack, Flow};
use portolan_netlink::nftables::Family;
use tempfile::TempDir;

/// Long enough for any machine; nothing waits for so long unless it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Who is there, in one family.
#[derive(Debug)]
pub(crate) struct Addresses {
    pub(crate) family: Family,
    /// Of the node; clients reach NodePorts there.
    pub(crate) node: &'static str,
    pub(crate) outside: &'static str,
    pub(crate) client_pod: &'static str,
    pub(crate) endpoints: [&'static str; 3],
    /// An endpoint that nobody has: what is sent there gets lost outside.
    pub(crate) silent: &'static str,
    /// What ClusterIPs begin with.
    cluster: &'static str,
    node_network: &'static str,
    pod_network: &'static str,
}

pub(crate) const FAMILIES: [Addresses; 2] = [
    Addresses {
        family: Family::Ip,
        node: "192.168.0.2",
        outside: "192.168.0.100",
        client_pod: "10.244.0.9",
        endpoints: ["10.244.0.1", "10.244.0.2", "10.244.0.3"],
        silent: "10.244.7.7",
        cluster: "10.96.0.",
        node_network: "192.168.0.0/24",
        pod_network: "10.244.0.0/16",
    },
    Addresses {
        family: Family::Ip6,
        node: "2001:db8::1",
        outside: "2001:db8::100",
        client_pod: "fd00:10:244::9",
        endpoints: ["fd00:10:244::1", "fd00:10:244::2", "fd00:10:244::3"],
        silent: "fd00:10:244::7:7",
        cluster: "fd00:10:96::",
        node_network: "2001:db8::/64",
        pod_network: "fd00:10:244::/64",
    },
];

impl Addresses {
    pub(crate) fn cluster_ip(&self, number: u16) -> String {
        format!("{}{number}", self.cluster)
    }

    /// The endpoints as pods of the node, and the clients.
    pub(crate) fn hosts(&self) -> TopologySpec {
        let pods = self.endpoints.iter().chain([&self.client_pod]);
        let spec = pods.fold(TopologySpec::default(), |spec, pod| spec.pod(ip(pod)));
        spec.client(ip(self.outside))
    }

    /// A slice with one port, of endpoints on this node and the silent one elsewhere.
    pub(crate) fn slice(&self, service: &str, port: &str, endpoints: &[&str]) -> String {
        let endpoints: Vec<String> = endpoints
            .iter()
            .map(|address| {
                let node = if *address == self.silent { "there" } else { "here" };
                format!("{{addresses: [\"{address}\"], nodeName: {node}}}")
            })
            .collect();
        let kind = if self.family == Family::Ip { "IPv4" } else { "IPv6" };
        format!(
            "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {service}-1, \
             namespace: shop, labels: {{kubernetes.io/service-name: {service}}}}}\n\
             addressType: {kind}\nports: [{{{port}}}]\nendpoints: [{}]\n",
            endpoints.join(", ")
        )
    }
}

/// A node, and what its agent is told.
pub(crate) struct Scene {
    pub(crate) addresses: &'static Addresses,
    pub(crate) lab: Topology,
    directory: TempDir,
}

impl Scene {
    pub(crate) fn new(addresses: &'static Addresses, hosts: &TopologySpec) -> Scene {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("manifests")).unwrap();
        Scene { addresses, lab: hosts.build().unwrap(), directory }
    }

    pub(crate) fn start_agent(&self) -> Process {
        let Addresses { node_network, pod_network, .. } = self.addresses;
        let log = File::create(self.directory.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"));
        command
            .args(["run", "--backend", crate::BACKEND, "--node-name", "here"])
            .args(["--nodeport-addresses", node_network])
            .args(["--cluster-cidr", pod_network, "--healthz-bind-address="])
            .args(["--metrics-bind-address=", "--control-socket=", "--source"])
            .arg(format!("dir:{}", self.directory.path().join("manifests").display()))
            .stdout(Stdio::null())
            .stderr(log);
        self.lab.node().spawn(command).unwrap()
    }

    /// What the agent has said, if it has been started.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn manifest(&self, name: &str) -> PathBuf {
        self.directory.path().join("manifests").join(name)
    }

    /// Replaces a file at once.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let draft = self.directory.path().join("draft");
        fs::write(&draft, text).unwrap();
        fs::rename(draft, self.manifest(name)).unwrap();
    }

    /// The flow of a client that is the one, as the node knows it.
    pub(crate) fn flow(
        &self,
        protocol: u8,
        client: SocketAddr,
        is_it: impl Fn(&Flow) -> bool + Sync,
    ) -> Option<Flow> {
        let mut found = None;
        self.lab.node().run(|| {
            let mut conntrack = Conntrack::open().unwrap();
            let mut visit = |flow: Flow| {
                if flow.original.source == client && is_it(&flow) {
                    found = Some(flow);
                }
            };
            conntrack.flows(self.addresses.family, protocol, &mut visit).unwrap();
        });
        found
    }

    /// Waits until something has happened.
    pub(crate) fn until(&self, what: &str, mut happened: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !happened() {
            assert!(Instant::now() < deadline, "{what}: not yet\n{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn address(ip_text: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip(ip_text), port)
}

/// Whether a flow goes to somebody else than whom its first packet was sent to.
pub(crate) fn is_translated(flow: &Flow) -> bool {
    flow.reply.source != flow.original.destination
}
