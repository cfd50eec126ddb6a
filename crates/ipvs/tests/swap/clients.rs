//! Clients that stay, and clients that come all the while.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use portolan_lab::{Connection, Probe, Protocol, Topology};

use crate::node::Node;

/// Long enough for an emulated machine; nothing waits for so long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Clients that keep their connections and sockets.
pub(crate) struct Clients {
    connections: Vec<Connection>,
    flows: Vec<Flow>,
}

/// A socket of a client, with who answered its first datagram.
struct Flow {
    name: String,
    socket: UdpSocket,
    endpoint: String,
}

impl Clients {
    /// So many TCP connections and so many UDP flows, spread over all frontends.
    pub(crate) fn connect(node: &Node, connections: usize, flows: usize) -> Clients {
        let frontends = node.frontends();
        let connect = |(client, address): &(IpAddr, SocketAddr)| {
            node.topology.connect(*client, *address, PATIENCE).unwrap()
        };
        let flow = |(client, address): &(IpAddr, SocketAddr)| {
            let host = node.topology.host_of(*client).unwrap();
            let any = SocketAddr::new(*client, 0);
            let socket = host.run(|| UdpSocket::bind(any).unwrap());
            socket.connect(address).unwrap();
            socket.set_read_timeout(Some(PATIENCE)).unwrap();
            let name = format!("{client} to {address}");
            let endpoint = ask(&socket).unwrap();
            Flow { name, socket, endpoint }
        };
        Clients {
            connections: frontends.iter().cycle().take(connections).map(connect).collect(),
            flows: frontends.iter().cycle().take(flows).map(flow).collect(),
        }
    }

    /// Every connection echoes its next number, and every flow is answered by its endpoint.
    pub(crate) fn talk(&mut self, when: &str) {
        for connection in &mut self.connections {
            let endpoint = connection.endpoint();
            let echoed = connection.exchange(PATIENCE);
            assert!(echoed.is_ok(), "{when}: a connection to {endpoint}: {echoed:?}");
        }
        for flow in &self.flows {
            let answered = ask(&flow.socket);
            assert_eq!(answered.ok().as_ref(), Some(&flow.endpoint), "{when}: {}", flow.name);
        }
    }
}

/// Who answers a datagram.
fn ask(socket: &UdpSocket) -> std::io::Result<String> {
    let mut buffer = [0; 256];
    socket.send(b"hello")?;
    let length = socket.recv(&mut buffer)?;
    let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
    Ok(text.split_whitespace().next().unwrap_or_default().to_owned())
}

/// Clients that connect, are answered, and go, one after the other on each frontend.
pub(crate) struct NewConnections {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<(usize, Vec<String>)>>,
}

impl NewConnections {
    pub(crate) fn start(
        topology: &Arc<Topology>,
        frontends: &[(IpAddr, SocketAddr)],
    ) -> NewConnections {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |(source, address): &(IpAddr, SocketAddr)| {
            let (topology, stop) = (Arc::clone(topology), Arc::clone(&stop));
            let probe = Probe::new(*source, Protocol::Tcp, *address).within(PATIENCE);
            thread::spawn(move || {
                let (mut count, mut failures) = (0, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    let outcome = topology.probe(&probe);
                    count += 1;
                    if outcome.endpoint().is_none() {
                        failures.push(format!("{probe:?}: {outcome:?}"));
                    }
                }
                (count, failures)
            })
        };
        let threads = frontends.iter().map(client).collect();
        NewConnections { stop, threads }
    }

    /// How many there were, and what failed.
    pub(crate) fn stop(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut total = (0, Vec::new());
        for thread in self.threads {
            let (count, failures) = thread.join().unwrap();
            total.0 += count;
            total.1.extend(failures);
        }
        total
    }
}
