//! TCP connections whose endpoint is gone, and what their Service wants to become of them.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use portolan_netlink::conntrack::Flow;

use crate::namespaced;
use crate::scene::{Addresses, FAMILIES, PATIENCE, Scene, address, ip};

const TCP: u8 = 6;
const PORT: u16 = 8080;
/// Where an answer would come at once, and none is expected.
const SILENCE: Duration = Duration::from_millis(300);

/// The words of the annotation.
const WORDS: [&str; 3] = ["keep", "drop", "reset"];

/// What becomes of the endpoints, and what a client then hears whose Service says `drop`.
/// With `reset` it hears a reset every time, and so it does with `drop` if IPVS has it.
struct Case {
    what: &'static str,
    local: bool,
    endpoints: fn(&Addresses) -> Vec<&'static str>,
    after_drop: Option<ErrorKind>,
}

const CASES: [Case; 4] = [
    Case {
        what: "another endpoint answers what it does not know",
        local: false,
        endpoints: |it| vec![it.endpoints[1]],
        after_drop: Some(ErrorKind::ConnectionReset),
    },
    Case {
        what: "there is no endpoint",
        local: false,
        endpoints: |_| Vec::new(),
        after_drop: Some(ErrorKind::ConnectionReset),
    },
    Case {
        what: "the other endpoint says nothing",
        local: false,
        endpoints: |it| vec![it.silent],
        after_drop: None,
    },
    Case {
        what: "the policy allows no other endpoint",
        local: true,
        endpoints: |it| vec![it.silent],
        after_drop: None,
    },
];

/// A Service of one case.
struct Served {
    case: &'static Case,
    word: &'static str,
    name: String,
    cluster_ip: String,
    node_port: u16,
}

fn served(addresses: &Addresses) -> Vec<Served> {
    let pairs = CASES.iter().flat_map(|case| WORDS.map(|word| (case, word)));
    let numbered = (1_u16..).zip(pairs);
    numbered
        .map(|(number, (case, word))| Served {
            case,
            word,
            name: format!("service-{number}"),
            cluster_ip: addresses.cluster_ip(number),
            node_port: 30_000 + number,
        })
        .collect()
}

impl Served {
    fn manifest(&self) -> String {
        let Served { word, name, cluster_ip, node_port, .. } = self;
        let policy = if self.case.local { "Local" } else { "Cluster" };
        format!(
            "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n  namespace: shop\n  \
             annotations: {{portolan.dev/tcp-when-endpoint-gone: {word}}}\nspec:\n  \
             type: NodePort\n  clusterIP: \"{cluster_ip}\"\n  clusterIPs: [\"{cluster_ip}\"]\n  \
             externalTrafficPolicy: {policy}\n  internalTrafficPolicy: {policy}\n  \
             ports: [{{port: 80, protocol: TCP, nodePort: {node_port}}}]\n"
        )
    }
}

/// The slices of all services, in one file: what follows from it happens together.
fn slices(scene: &Scene, services: &[Served], endpoints: impl Fn(&Case) -> Vec<&'static str>) {
    let port = format!("port: {PORT}, protocol: TCP");
    let slice = |it: &Served| scene.addresses.slice(&it.name, &port, &endpoints(it.case));
    let text: String = services.iter().map(|it| format!("---\n{}", slice(it))).collect();
    scene.write("slices.yaml", &text);
}

/// Both ends of a connection.
struct Pair<'a> {
    service: &'a Served,
    what: String,
    /// The client only listens, and its kernel asks every second whether anybody is there.
    idle: bool,
    client: TcpStream,
    /// Where the client connected to.
    destination: SocketAddr,
    endpoint: TcpStream,
}

impl Pair<'_> {
    fn flow(&self, scene: &Scene) -> Option<Flow> {
        // Two connections to different Services may have the same port.
        let to = self.destination;
        scene.flow(TCP, self.client.local_addr().unwrap(), |flow| flow.original.destination == to)
    }

    /// Whether connection tracking still takes the client to the endpoint.
    fn lives(&self, scene: &Scene) -> bool {
        let endpoint = self.endpoint.local_addr().unwrap();
        // A late packet of the endpoint itself may have begun a flow without translation.
        let translated = |flow: &Flow| flow.original.destination != endpoint;
        self.flow(scene).filter(translated).is_some_and(|flow| flow.reply.source == endpoint)
    }
}

/// What one end hears within a time.
fn hears(mut end: &TcpStream, patience: Duration) -> Result<usize, ErrorKind> {
    end.set_read_timeout(Some(patience)).unwrap();
    end.read(&mut [0]).map_err(|error| error.kind())
}

fn send(mut end: &TcpStream) {
    end.write_all(b"?").unwrap();
}

/// A pod's connections and one of the node to a ClusterIP, and one from outside to a NodePort.
fn connect<'a>(scene: &Scene, service: &'a Served, listener: &TcpListener) -> [Pair<'a>; 4] {
    let Addresses { client_pod, node, outside, .. } = *scene.addresses;
    let cluster_ip = address(&service.cluster_ip, 80);
    let clients = [
        (client_pod, cluster_ip, false),
        (client_pod, cluster_ip, true),
        (node, cluster_ip, false),
        (outside, address(node, service.node_port), false),
    ];
    clients.map(|(source, destination, idle)| {
        let (case, word) = (service.case.what, service.word);
        let what = format!("{case}, {word}, {source} to {destination}, idle: {idle}");
        let client = scene.connect(&what, source, destination);
        if idle {
            setsockopt(&client, sockopt::KeepAlive, &true).unwrap();
            setsockopt(&client, sockopt::TcpKeepIdle, &1).unwrap();
            // The answer to a question that is under way when the flow is deleted gets lost.
            setsockopt(&client, sockopt::TcpKeepInterval, &1).unwrap();
            setsockopt(&client, sockopt::TcpKeepCount, &127).unwrap();
        }
        let (endpoint, _) = listener.accept().unwrap();
        Pair { service, what, idle, client, destination, endpoint }
    })
}

impl Scene {
    /// Connects as soon as the service is there.
    fn connect(&self, what: &str, source: &str, destination: SocketAddr) -> TcpStream {
        let host = self.lab.host_of(ip(source)).unwrap();
        let mut client = None;
        self.until(what, || {
            client = host.run(|| TcpStream::connect_timeout(&destination, PATIENCE)).ok();
            client.is_some()
        });
        client.unwrap()
    }
}

#[test]
fn each_end_of_a_connection_hears_what_the_service_promises_when_its_endpoint_is_gone() {
    let name =
        "gone::each_end_of_a_connection_hears_what_the_service_promises_when_its_endpoint_is_gone";
    namespaced(name, || FAMILIES.iter().for_each(endpoints_go));
}

fn endpoints_go(addresses: &'static Addresses) {
    let scene = Scene::new(addresses, &addresses.hosts());
    let services = served(addresses);
    let [first, second, _] = addresses.endpoints;
    scene.write("services.yaml", &services.iter().map(Served::manifest).collect::<String>());
    slices(&scene, &services, |_| vec![first]);
    let _agent = scene.start_agent();
    let listen = |pod| {
        let host = scene.lab.host_of(ip(pod)).unwrap();
        host.run(|| TcpListener::bind(address(pod, PORT)).unwrap())
    };
    let (listener, _other) = (listen(first), listen(second));
    let pairs: Vec<Pair<'_>> =
        services.iter().flat_map(|service| connect(&scene, service, &listener)).collect();

    slices(&scene, &services, |case| (case.endpoints)(addresses));
    let ends = |pair: &&Pair<'_>| pair.service.word != "keep";
    for pair in pairs.iter().filter(ends) {
        let what = format!("{} is forgotten ({:?})", pair.what, pair.flow(&scene));
        scene.until(&what, || !pair.lives(&scene));
    }
    for pair in &pairs {
        if pair.service.word == "keep" {
            assert!(pair.lives(&scene), "{}", pair.what);
            check_that_it_works(pair);
        } else {
            check_both_ends(pair);
        }
    }
}

fn check_that_it_works(pair: &Pair<'_>) {
    for (sender, receiver) in [(&pair.client, &pair.endpoint), (&pair.endpoint, &pair.client)] {
        let (mut sender, mut receiver) = (sender, receiver);
        sender.write_all(b"!").unwrap();
        receiver.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut byte = [0];
        receiver.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"!", "{}", pair.what);
    }
}

fn check_both_ends(pair: &Pair<'_>) {
    send(&pair.endpoint);
    let endpoint = hears(&pair.endpoint, PATIENCE);
    assert_eq!(endpoint, Err(ErrorKind::ConnectionReset), "the endpoint: {}", pair.what);
    let expected = match pair.service.word {
        "drop" if crate::BACKEND == "nftables" => pair.service.case.after_drop,
        _ => Some(ErrorKind::ConnectionReset),
    };
    if !pair.idle {
        send(&pair.client);
    }
    let client = hears(&pair.client, expected.map_or(SILENCE, |_| PATIENCE));
    let expected = expected.unwrap_or(ErrorKind::WouldBlock);
    assert_eq!(client, Err(expected), "the client: {}", pair.what);
}
