//! Clients that stay, and clients that come all the while: what an interruption would show
//! itself by.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::connection::Connection;
use super::probe::{Probe, Protocol};
use crate::{LabError, Topology};

/// Long enough for an emulated machine; nothing waits for so long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);
/// Leaves the processors to others.
const PAUSE: Duration = Duration::from_millis(20);

/// A client and the address that it uses.
pub type Use = (IpAddr, SocketAddr);

/// Clients that keep their TCP connections and UDP sockets.
#[derive(Debug)]
pub struct LongLived {
    connections: Vec<(String, Connection)>,
    flows: Vec<Flow>,
}

/// A socket of a client, with who answered its first datagram.
#[derive(Debug)]
struct Flow {
    name: String,
    socket: UdpSocket,
    endpoint: String,
}

impl LongLived {
    /// So many TCP connections and so many flows of UDP, spread over all uses.
    ///
    /// # Errors
    ///
    /// [`LabError`] if one of them is not answered.
    pub fn connect(
        topology: &Topology,
        uses: &[Use],
        connections: usize,
        flows: usize,
    ) -> Result<Self, LabError> {
        let connect = |(client, address): &Use| {
            let name = format!("TCP from {client} to {address}");
            match topology.connect(*client, *address, PATIENCE) {
                Ok(connection) => Ok((name, connection)),
                Err(outcome) => {
                    Err(LabError::system(name, io::Error::other(format!("{outcome:?}"))))
                }
            }
        };
        let connections =
            uses.iter().cycle().take(connections).map(connect).collect::<Result<_, _>>()?;
        let flows = uses.iter().cycle().take(flows).map(|one| Flow::begin(topology, one));
        Ok(Self { connections, flows: flows.collect::<Result<_, _>>()? })
    }

    /// Every connection echoes its next number, and every flow is answered by its endpoint.
    /// Returns what failed.
    pub fn talk(&mut self) -> Vec<String> {
        let mut failures = Vec::new();
        for (name, connection) in &mut self.connections {
            if let Err(error) = connection.exchange(PATIENCE) {
                failures.push(format!("{name}, which {} serves: {error}", connection.endpoint()));
            }
        }
        for Flow { name, socket, endpoint } in &self.flows {
            match ask(socket) {
                Ok(answered) if answered == *endpoint => {}
                answered => failures.push(format!("{name}, which {endpoint} serves: {answered:?}")),
            }
        }
        failures
    }
}

impl Flow {
    fn begin(topology: &Topology, (client, address): &Use) -> Result<Self, LabError> {
        let name = format!("UDP from {client} to {address}");
        let begin = || {
            let socket = UdpSocket::bind(SocketAddr::new(*client, 0))?;
            socket.connect(address)?;
            socket.set_read_timeout(Some(PATIENCE))?;
            let endpoint = ask(&socket)?;
            Ok((socket, endpoint))
        };
        let begun = topology.host_of(*client)?.run(begin);
        let (socket, endpoint) =
            begun.map_err(|error: io::Error| LabError::system(&name, error))?;
        Ok(Self { name, socket, endpoint })
    }
}

/// Who answers a datagram.
fn ask(socket: &UdpSocket) -> io::Result<String> {
    let mut buffer = [0; 256];
    socket.send(b"hello")?;
    let length = socket.recv(&mut buffer)?;
    let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
    Ok(text.split_whitespace().next().unwrap_or_default().to_owned())
}

/// Clients that connect, are answered, and go, one after the other for each use.
#[derive(Debug)]
pub struct NewConnections {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<(usize, Vec<String>)>>,
}

impl NewConnections {
    /// Starts a thread for each use.
    #[must_use]
    pub fn start(topology: &Arc<Topology>, uses: &[Use]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |(source, address): &Use| {
            let (topology, stop) = (Arc::clone(topology), Arc::clone(&stop));
            let probe = Probe::new(*source, Protocol::Tcp, *address).within(PATIENCE);
            thread::spawn(move || connect_again_and_again(&topology, &probe, &stop))
        };
        let threads = uses.iter().map(client).collect();
        Self { stop, threads }
    }

    /// How many there were, and what failed.
    #[must_use]
    pub fn stop(self) -> (usize, Vec<String>) {
        self.stop.store(true, Ordering::Relaxed);
        let mut total = (0, Vec::new());
        for thread in self.threads {
            match thread.join() {
                Ok((count, failures)) => {
                    total.0 += count;
                    total.1.extend(failures);
                }
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        total
    }
}

fn connect_again_and_again(
    topology: &Topology,
    probe: &Probe,
    stop: &AtomicBool,
) -> (usize, Vec<String>) {
    let (mut count, mut failures) = (0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        let outcome = topology.probe(probe);
        count += 1;
        if outcome.endpoint().is_none() {
            failures.push(format!("{probe:?}: {outcome:?}"));
        }
        thread::sleep(PAUSE);
    }
    (count, failures)
}
