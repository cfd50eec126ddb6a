//! UDP clients that keep their sockets.

use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use portolan_lab::Protocol;
use portolan_netlink::conntrack::Flow;

use crate::namespaced;
use crate::scene::{Addresses, FAMILIES, PATIENCE, Scene, address, ip, is_translated};

const NODE_PORT: u16 = 30053;
/// A flow to which datagrams are sent does not time out.
const ANSWER: Duration = Duration::from_millis(200);
const UDP: u8 = 17;

fn service(name: &str, address: &str, node_port: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\n\
         spec:\n  type: NodePort\n  clusterIP: \"{address}\"\n  clusterIPs: [\"{address}\"]\n  \
         ports: [{{port: 53, protocol: UDP{node_port}}}]\n"
    )
}

fn slice(addresses: &Addresses, service: &str, endpoints: &[&str]) -> String {
    addresses.slice(service, "port: 5353, protocol: UDP", endpoints)
}

fn scene(addresses: &'static Addresses) -> Scene {
    let spec = addresses
        .endpoints
        .iter()
        .fold(addresses.hosts(), |spec, pod| spec.server(ip(pod), Protocol::Udp, 5353));
    let spec = spec.server(ip(addresses.outside), Protocol::Udp, NODE_PORT);
    Scene::new(addresses, &spec)
}

impl Scene {
    fn serve(&self, endpoints: &[&str]) {
        self.write("slice.yaml", &slice(self.addresses, "dns", endpoints));
    }

    /// A client that keeps its socket.
    fn client(&self, source: &str, destination: SocketAddr) -> Client {
        let socket = self.lab.host_of(ip(source)).unwrap().run(|| {
            let socket = UdpSocket::bind(SocketAddr::new(ip(source), 0)).unwrap();
            socket.connect(destination).unwrap();
            socket
        });
        socket.set_read_timeout(Some(ANSWER)).unwrap();
        Client { socket }
    }

    fn flow_of(&self, client: &Client) -> Option<Flow> {
        self.flow(UDP, client.socket.local_addr().unwrap(), |_| true)
    }

    /// Repeats datagrams of the same sockets until all are answered by `expected`, or by
    /// nobody.
    fn until_answered(&self, what: &str, clients: &[Client], expected: Option<&str>) {
        let deadline = Instant::now() + PATIENCE;
        let expected = expected.map(ip);
        for client in clients {
            loop {
                let answer = client.ask();
                // Silence alone may be a slow machine.
                let served = expected.is_some()
                    || !self.flow_of(client).is_some_and(|it| is_translated(&it));
                if answer == expected && served {
                    break;
                }
                assert!(
                    Instant::now() < deadline,
                    "{what}: {client:?} is answered by {answer:?}\n{:?}\n{}",
                    self.flow_of(client),
                    self.log()
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

#[test]
fn datagrams_of_a_kept_socket_go_where_the_service_is_and_other_flows_stay() {
    let name = "udp::datagrams_of_a_kept_socket_go_where_the_service_is_and_other_flows_stay";
    namespaced(name, || FAMILIES.iter().for_each(follow_the_service));
}

fn follow_the_service(addresses: &'static Addresses) {
    let scene = scene(addresses);
    let _agent = scene.start_agent();
    let Addresses { client_pod, outside, node, .. } = *addresses;
    let [first, second, third] = addresses.endpoints;
    scene.write("neighbour.yaml", &service("neighbour", &addresses.cluster_ip(20), ""));
    scene.write("neighbour-slice.yaml", &slice(addresses, "neighbour", &[third]));
    let neighbours = [
        scene.client(client_pod, address(&addresses.cluster_ip(20), 53)),
        // A pod's own business that looks like a NodePort.
        scene.client(client_pod, address(outside, NODE_PORT)),
    ];
    scene.until_answered("the neighbour is served", &neighbours[..1], Some(third));
    scene.until_answered("the outside answers", &neighbours[1..], Some(outside));
    let flows = || neighbours.each_ref().map(|client| scene.flow_of(client).unwrap());
    let before = flows();

    let cluster_ip = addresses.cluster_ip(10);
    let clients = [
        scene.client(client_pod, address(&cluster_ip, 53)),
        scene.client(outside, address(node, NODE_PORT)),
    ];
    assert_eq!(clients.each_ref().map(Client::ask), [None; 2], "there is no service");
    assert!(!is_translated(&scene.flow_of(&clients[1]).unwrap()));

    scene.write("dns.yaml", &service("dns", &cluster_ip, &format!(", nodePort: {NODE_PORT}")));
    scene.serve(&[first]);
    scene.until_answered("the first endpoint appears", &clients, Some(first));
    scene.serve(&[second]);
    scene.until_answered("the endpoint is another", &clients, Some(second));
    scene.serve(&[]);
    scene.until_answered("there is no endpoint", &clients, None);
    scene.serve(&[first]);
    scene.until_answered("there is one again", &clients, Some(first));
    fs::remove_file(scene.manifest("dns.yaml")).unwrap();
    scene.until_answered("the service is deleted", &clients, None);

    assert_eq!(flows(), before, "they are the same flows, by their ids");
}
