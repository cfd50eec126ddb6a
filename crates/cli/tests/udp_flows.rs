//! UDP clients that keep their sockets, with the running agent on a node of its own.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use portolan_lab::{Process, Protocol, Topology, TopologySpec, namespaced};
use portolan_netlink::conntrack::{Conntrack, Flow};
use portolan_netlink::nftables::Family;
use tempfile::TempDir;

const CLIENT_POD: &str = "10.244.0.9";
const OUTSIDE: &str = "192.168.0.100";
const ENDPOINTS: [&str; 3] = ["10.244.0.1", "10.244.0.2", "10.244.0.3"];
const NEIGHBOUR: &str = "10.96.0.20:53";
const NODE_PORT: u16 = 30053;
/// Long enough for any machine; nothing waits for so long unless it fails. A flow to which
/// datagrams are sent does not time out.
const PATIENCE: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_millis(200);
const UDP: u8 = 17;

fn service(name: &str, address: &str, node_port: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\n\
         spec:\n  type: NodePort\n  clusterIP: {address}\n  clusterIPs: [{address}]\n  \
         ports: [{{port: 53, protocol: UDP{node_port}}}]\n"
    )
}

fn slice(service: &str, addresses: &[&str]) -> String {
    let endpoints: Vec<String> =
        addresses.iter().map(|address| format!("{{addresses: [{address}]}}")).collect();
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: {service}-1, \
         namespace: shop, labels: {{kubernetes.io/service-name: {service}}}}}\n\
         addressType: IPv4\nports: [{{port: 5353, protocol: UDP}}]\nendpoints: [{}]\n",
        endpoints.join(", ")
    )
}

/// A node with an agent that follows a directory.
struct Scene {
    lab: Topology,
    directory: TempDir,
    _agent: Process,
}

impl Scene {
    fn start() -> Scene {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("manifests")).unwrap();
        let spec = ENDPOINTS.iter().fold(TopologySpec::default(), |spec, pod| {
            spec.pod(ip(pod)).server(ip(pod), Protocol::Udp, 5353)
        });
        let spec = spec.pod(ip(CLIENT_POD)).client(ip(OUTSIDE));
        let lab = spec.server(ip(OUTSIDE), Protocol::Udp, NODE_PORT).build().unwrap();
        let log = fs::File::create(directory.path().join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"));
        command
            .args(["run", "--node-name", "here", "--nodeport-addresses", "192.168.0.0/24"])
            .args(["--cluster-cidr", "10.244.0.0/16", "--healthz-bind-address="])
            .args(["--control-socket=", "--source"])
            .arg(format!("dir:{}", directory.path().join("manifests").display()))
            .stdout(Stdio::null())
            .stderr(log);
        let agent = lab.node().spawn(command).unwrap();
        Scene { lab, directory, _agent: agent }
    }

    fn manifest(&self, name: &str) -> PathBuf {
        self.directory.path().join("manifests").join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let draft = self.directory.path().join("draft");
        fs::write(&draft, text).unwrap();
        fs::rename(draft, self.manifest(name)).unwrap();
    }

    fn serve(&self, endpoints: &[&str]) {
        self.write("slice.yaml", &slice("dns", endpoints));
    }

    /// A client that keeps its socket.
    fn client(&self, source: &str, destination: &str) -> Client {
        let socket = self.lab.host_of(ip(source)).unwrap().run(|| {
            let socket = UdpSocket::bind(SocketAddr::new(ip(source), 0)).unwrap();
            socket.connect(destination).unwrap();
            socket
        });
        socket.set_read_timeout(Some(ANSWER)).unwrap();
        Client { socket }
    }

    /// The flow of a client, as the node knows it.
    fn flow(&self, client: &Client) -> Option<Flow> {
        let source = client.socket.local_addr().unwrap();
        let mut found = None;
        self.lab.node().run(|| {
            let mut conntrack = Conntrack::open().unwrap();
            let mut visit = |flow: Flow| {
                if flow.original.source == source {
                    found = Some(flow);
                }
            };
            conntrack.flows(Family::Ip, UDP, &mut visit).unwrap();
        });
        found
    }

    fn is_translated(&self, client: &Client) -> bool {
        let flow = self.flow(client);
        flow.is_some_and(|flow| flow.reply.source != flow.original.destination)
    }

    /// Repeats datagrams of the same sockets until all are answered by `expected`, or by
    /// nobody.
    fn until(&self, what: &str, clients: &[Client], expected: Option<&str>) {
        let deadline = Instant::now() + PATIENCE;
        let expected = expected.map(ip);
        for client in clients {
            loop {
                let answer = client.ask();
                // Silence alone may be a slow machine.
                let served = expected.is_some() || !self.is_translated(client);
                if answer == expected && served {
                    break;
                }
                assert!(
                    Instant::now() < deadline,
                    "{what}: {client:?} is answered by {answer:?}\n{:?}\n{}",
                    self.flow(client),
                    fs::read_to_string(self.directory.path().join("log")).unwrap()
                );
            }
        }
    }
}

#[derive(Debug)]
struct Client {
    socket: UdpSocket,
}

impl Client {
    /// Sends a datagram; returns who answers, if anybody does.
    fn ask(&self) -> Option<IpAddr> {
        let mut buffer = [0; 256];
        // Fails with what came back for the last datagram.
        while self.socket.send(b"hello").is_err() {}
        let length = self.socket.recv(&mut buffer).ok()?;
        let text = std::str::from_utf8(buffer.get(..length)?).unwrap();
        let endpoint: SocketAddr = text.split_whitespace().next()?.parse().unwrap();
        Some(endpoint.ip())
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn datagrams_of_a_kept_socket_go_where_the_service_is_and_other_flows_stay() {
    let name = "datagrams_of_a_kept_socket_go_where_the_service_is_and_other_flows_stay";
    namespaced(name, || {
        let scene = Scene::start();
        let [first, second, third] = ENDPOINTS;
        scene.write("neighbour.yaml", &service("neighbour", "10.96.0.20", ""));
        scene.write("neighbour-slice.yaml", &slice("neighbour", &[third]));
        let node_port = format!("192.168.0.2:{NODE_PORT}");
        let neighbours = [
            scene.client(CLIENT_POD, NEIGHBOUR),
            // A pod's own business that looks like a NodePort.
            scene.client(CLIENT_POD, &format!("{OUTSIDE}:{NODE_PORT}")),
        ];
        scene.until("the neighbour is served", &neighbours[..1], Some(third));
        scene.until("the outside answers", &neighbours[1..], Some(OUTSIDE));
        let before: Vec<Flow> =
            neighbours.iter().map(|client| scene.flow(client).unwrap()).collect();

        let clients =
            [scene.client(CLIENT_POD, "10.96.0.10:53"), scene.client(OUTSIDE, &node_port)];
        assert_eq!(clients.each_ref().map(Client::ask), [None; 2], "there is no service");
        let untranslated = scene.flow(&clients[1]).unwrap();
        assert_eq!(untranslated.reply.source, untranslated.original.destination);

        let dns = service("dns", "10.96.0.10", &format!(", nodePort: {NODE_PORT}"));
        scene.write("dns.yaml", &dns);
        scene.serve(&[first]);
        scene.until("the first endpoint appears", &clients, Some(first));
        scene.serve(&[second]);
        scene.until("the endpoint is another", &clients, Some(second));
        scene.serve(&[]);
        scene.until("there is no endpoint", &clients, None);
        scene.serve(&[first]);
        scene.until("there is one again", &clients, Some(first));
        fs::remove_file(scene.manifest("dns.yaml")).unwrap();
        scene.until("the service is deleted", &clients, None);

        let after: Vec<Flow> =
            neighbours.iter().map(|client| scene.flow(client).unwrap()).collect();
        assert_eq!(after, before, "they are the same flows, by their ids");
    });
}
