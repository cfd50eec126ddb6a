//! TCP connections that were begun before their Service was there.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use portolan_lab::{Outcome, Probe, Protocol};
use portolan_netlink::conntrack::{Conntrack, Flow};

use crate::namespaced;
use crate::scene::{Addresses, FAMILIES, PATIENCE, Scene, address, ip, is_translated};
use crate::tracking::track;

const TCP: u8 = 6;
const PORT: u16 = 8080;
/// It takes a while to make all of these.
const MANY: u16 = 200;
/// Short enough to be somewhere in that while.
const MOMENT: Duration = Duration::from_millis(5);

/// When the agent comes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Agent {
    BeforeTheClients,
    AfterTheService,
}

/// Writes a Service with so many ports, from 80 on.
fn write_service(scene: &Scene, count: u16) {
    let Scene { addresses, .. } = scene;
    let cluster_ip = addresses.cluster_ip(10);
    let ports = |port: fn(u16) -> u16| {
        let entry = |number| format!("name: p{number}, port: {}, protocol: TCP", port(number));
        (80..80 + count).map(entry).collect::<Vec<_>>().join("}, {")
    };
    let service = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: web, namespace: shop}}\nspec:\n  \
         clusterIP: \"{cluster_ip}\"\n  clusterIPs: [\"{cluster_ip}\"]\n  \
         ports: [{{{}}}]\n---\n",
        ports(|number| number)
    );
    let slice = addresses.slice("web", &ports(|_| PORT), &addresses.endpoints[..1]);
    scene.write("web.yaml", &(service + &slice));
}

impl Scene {
    /// The flows of those who wait for an answer of somebody.
    fn flows_to(&self, destination: SocketAddr) -> Vec<Flow> {
        let mut flows = Vec::new();
        self.lab.node().run(|| {
            let mut visit = |flow: Flow| {
                if flow.original.destination == destination {
                    flows.push(flow);
                }
            };
            Conntrack::open().unwrap().flows(self.addresses.family, TCP, &mut visit).unwrap();
        });
        flows
    }
}

#[test]
fn a_client_that_was_there_before_the_service_is_connected_by_its_next_packet() {
    let name = "early::a_client_that_was_there_before_the_service_is_connected_by_its_next_packet";
    namespaced(name, || {
        for addresses in &FAMILIES {
            for agent in [Agent::BeforeTheClients, Agent::AfterTheService] {
                come_early(addresses, agent);
            }
        }
    });
}

fn come_early(addresses: &'static Addresses, agent: Agent) {
    let spec = addresses.hosts().server(ip(addresses.endpoints[0]), Protocol::Tcp, PORT);
    let scene = Scene::new(addresses, &spec);
    scene.lab.node().run(|| track(scene.addresses.family));
    let mut process = None;
    if agent == Agent::BeforeTheClients {
        process = Some(scene.start_agent());
        scene.until("the agent has synced", || scene.log().contains("synced"));
    }
    let destination = address(&addresses.cluster_ip(10), 80);
    let hosts = [addresses.client_pod, addresses.node].map(|it| scene.lab.host_of(ip(it)).unwrap());
    let connected: Vec<Result<(), ErrorKind>> = thread::scope(|scope| {
        let connect = || {
            let stream = TcpStream::connect_timeout(&destination, PATIENCE);
            stream.map(drop).map_err(|error| error.kind())
        };
        let clients = hosts.map(|host| scope.spawn(move || host.run(connect)));
        scene.until("their first packets are tracked", || scene.flows_to(destination).len() == 2);
        assert!(!scene.flows_to(destination).iter().any(|it| is_translated(it) || it.answered));
        write_service(&scene, 1);
        process.get_or_insert_with(|| scene.start_agent());
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    assert_eq!(connected, [Ok(()); 2], "{agent:?}: {:?}\n{}", addresses.family, scene.log());
}

#[test]
fn nobody_on_the_node_is_refused_while_a_service_appears() {
    let name = "early::nobody_on_the_node_is_refused_while_a_service_appears";
    namespaced(name, || {
        for addresses in &FAMILIES {
            for agent in [Agent::BeforeTheClients, Agent::AfterTheService] {
                appear(addresses, agent);
            }
        }
    });
}

fn appear(addresses: &'static Addresses, agent: Agent) {
    let spec = addresses.hosts().server(ip(addresses.endpoints[0]), Protocol::Tcp, PORT);
    let scene = Scene::new(addresses, &spec);
    let mut process = None;
    if agent == Agent::BeforeTheClients {
        process = Some(scene.start_agent());
        scene.until("the agent has synced", || scene.log().contains("synced"));
    }
    write_service(&scene, MANY);
    process.get_or_insert_with(|| scene.start_agent());
    let destination = address(&addresses.cluster_ip(10), 80);
    let probe = Probe::new(ip(addresses.node), Protocol::Tcp, destination).within(MOMENT);
    let mut outcome = Outcome::Silent;
    let deadline = Instant::now() + PATIENCE;
    while outcome == Outcome::Silent && Instant::now() < deadline {
        outcome = scene.lab.probe(&probe);
    }
    assert!(outcome.endpoint().is_some(), "{agent:?}: {outcome:?}\n{}", scene.log());
}
