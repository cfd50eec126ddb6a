//! NodePorts on `::1`, with the running agent on a node of its own.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use portolan_lab::{
    Outcome, Probe, Process, Protocol, Refusal, Topology, TopologySpec, namespaced,
};
use tempfile::TempDir;

const LOCALHOST: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const ENDPOINTS: [&str; 2] = ["fd00:10:244::1", "fd00:10:244::2"];
const NODE_PORT: u16 = 30_080;
const PROTOCOLS: [Protocol; 2] = [Protocol::Tcp, Protocol::Udp];
/// Long enough for any machine; nothing waits for so long unless it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// External clients are confined to endpoints of this node; the node itself is not.
const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: NodePort
  clusterIP: fd00:10:96::10
  clusterIPs: [fd00:10:96::10]
  ipFamilies: [IPv6]
  externalTrafficPolicy: Local
  ports:
  - {name: tcp, port: 80, protocol: TCP, nodePort: 30080}
  - {name: udp, port: 80, protocol: UDP, nodePort: 30080}
  - {name: sctp, port: 80, protocol: SCTP, nodePort: 30080}
";

fn slice(addresses: &[&str]) -> String {
    let endpoints: Vec<String> = addresses
        .iter()
        .map(|address| format!("{{addresses: ['{address}'], nodeName: elsewhere}}"))
        .collect();
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: web-1, namespace: shop, labels: {{kubernetes.io/service-name: web}}}}\n\
         addressType: IPv6\nports:\n- {{name: tcp, port: 8080, protocol: TCP}}\n\
         - {{name: udp, port: 8080, protocol: UDP}}\n- {{name: sctp, port: 8080, protocol: SCTP}}\n\
         endpoints: [{}]\n",
        endpoints.join(", ")
    )
}

/// A node, and a directory for an agent that follows it.
struct Scene {
    lab: Topology,
    directory: TempDir,
}

impl Scene {
    fn new() -> Scene {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("manifests")).unwrap();
        let spec = ENDPOINTS.into_iter().fold(TopologySpec::default(), |spec, pod| {
            PROTOCOLS.into_iter().fold(spec.pod(ip(pod)), |spec, it| spec.server(ip(pod), it, 8080))
        });
        let scene = Scene { lab: spec.build().unwrap(), directory };
        scene.write("web.yaml", SERVICE);
        scene
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        let draft = self.path("draft");
        fs::write(&draft, text).unwrap();
        fs::rename(draft, self.directory.path().join("manifests").join(name)).unwrap();
    }

    fn serve(&self, endpoints: &[&str]) {
        self.write("slice.yaml", &slice(endpoints));
    }

    /// Starts an agent whose `--nodeport-addresses` leave `::1` out.
    fn start(&self, more: &[&str]) -> Process {
        let log = fs::File::create(self.path("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"));
        command
            .args(["run", "--node-name", "here", "--nodeport-addresses", "2001:db8::/64"])
            .args(["--healthz-bind-address=", "--control-socket", &self.path("control.sock")])
            .arg(format!("--source=dir:{}", self.path("manifests")))
            .args(more)
            .stdout(Stdio::null())
            .stderr(log);
        self.lab.node().spawn(command).unwrap()
    }

    fn ask(&self, address: IpAddr, protocol: Protocol) -> Outcome {
        self.lab.probe(&Probe::new(address, protocol, SocketAddr::new(address, NODE_PORT)))
    }

    /// Asks at an address of the node until this endpoint answers, or nobody does.
    fn until(&self, what: &str, address: IpAddr, expected: Option<&str>) {
        let expected = expected.map(|endpoint| SocketAddr::new(ip(endpoint), 8080));
        let deadline = Instant::now() + PATIENCE;
        for protocol in PROTOCOLS {
            let refusal = match protocol {
                Protocol::Tcp => Refusal::Reset,
                _ => Refusal::Icmp,
            };
            loop {
                let outcome = self.ask(address, protocol);
                match (&outcome, expected) {
                    (Outcome::Answered { endpoint, seen_source }, Some(expected)) => {
                        assert!(self.lab.is_node_address(seen_source.ip()), "{seen_source}");
                        if *endpoint == expected {
                            break;
                        }
                    }
                    (Outcome::Refused(it), None) if *it == refusal => break,
                    _ => {}
                }
                assert!(
                    Instant::now() < deadline,
                    "{what}: {address} {protocol}: {outcome:?}\n{}",
                    fs::read_to_string(self.path("log")).unwrap()
                );
            }
        }
    }

    /// What the agent says after its first sync.
    fn dump(&self) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"));
            command.args(["dump", "--control-socket", &self.path("control.sock")]);
            let output = command.output().unwrap();
            let dump = String::from_utf8(output.stdout).unwrap();
            if dump.contains("last sync") {
                return dump;
            }
            assert!(Instant::now() < deadline, "{dump}{:?}", output.stderr);
        }
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn processes_of_the_node_reach_node_ports_on_its_loopback_address() {
    namespaced("processes_of_the_node_reach_node_ports_on_its_loopback_address", || {
        let [first, second] = ENDPOINTS;
        let scene = Scene::new();
        scene.serve(&[first]);
        let agent = scene.start(&["--localhost-nodeports"]);
        scene.until("the first endpoint appears", LOCALHOST, Some(first));
        let destination = SocketAddr::new(LOCALHOST, NODE_PORT);
        let mut kept = scene.lab.connect(LOCALHOST, destination, PATIENCE).unwrap();
        let dump = scene.dump();
        for expected in ["also on ::1, 1 connection now", "also on ::1, ", "SCTP is not relayed"] {
            assert!(dump.contains(expected), "{dump}");
        }

        scene.serve(&[second]);
        scene.until("the endpoint is another", LOCALHOST, Some(second));
        scene.serve(&[]);
        scene.until("there is no endpoint", LOCALHOST, None);
        kept.exchange(PATIENCE).unwrap();
        assert_eq!(kept.endpoint().ip(), ip(first), "connections outlive their endpoint");
        scene.serve(&[first]);
        scene.until("there is one again", LOCALHOST, Some(first));

        assert!(agent.terminate(PATIENCE).unwrap().success());
        scene.until("the agent has ended", LOCALHOST, None);
        assert!(kept.exchange(PATIENCE).is_err(), "connections end with the agent");
    });
}

#[test]
fn without_the_option_nobody_listens_there() {
    namespaced("without_the_option_nobody_listens_there", || {
        let [first, _] = ENDPOINTS;
        let scene = Scene::new();
        scene.serve(&[first]);
        for more in [&[][..], &["--localhost-nodeports=false"]] {
            let _agent = scene.start(more);
            let dump = scene.dump();
            scene.until("the other addresses serve", ip("2001:db8::1"), Some(first));
            scene.until("the option is off", LOCALHOST, None);
            assert!(dump.contains("30080/TCP") && !dump.contains(" ::1"), "{dump}");
        }
    });
}
