//! What a connection through a service costs over one straight to the pod.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::Run;
use super::names::{CONNECT, CONNECT_AFFINITY, CONNECT_SERVICE, DATAGRAM};
use crate::arms::DIRECT;
use crate::figures::{Metric, Recorder};
use crate::session::{CLIENT, POD, PORT, Session, node};

/// Rounds in one namespace before the other has its turn.
const BLOCK: u32 = 100;
/// Rounds at the start of a block that do not count: they resolve neighbours, fill caches.
const WARM_UP: u32 = 20;
/// How long an answer may take; one that is lost ends the run.
const ANSWER: Duration = Duration::from_secs(5);

/// Times of one block, for each address.
type Times<const N: usize> = [Vec<Duration>; N];

impl Run<'_> {
    /// Connects from one pod of a node to another: on a node without rules or connection
    /// tracking, straight past the rules, through a ClusterIP, and through one with session
    /// affinity that remembers the client.
    pub(super) fn connections(&mut self, session: &Session<'_>) -> anyhow::Result<()> {
        self.say("connections");
        let [service, affinity, _] = session.targets;
        let names = [CONNECT, CONNECT_SERVICE, CONNECT_AFFINITY];
        self.compare(session, names, [straight(), service, affinity], connect)
    }

    /// Asks and is answered over UDP, with a socket of its own each time as resolvers do.
    pub(super) fn datagrams(&mut self, session: &Session<'_>) -> anyhow::Result<()> {
        self.say("datagrams");
        let [_, _, service] = session.targets;
        self.compare(session, [DATAGRAM], [service], ask)
    }

    fn compare<const N: usize>(
        &mut self,
        session: &Session<'_>,
        names: [&'static str; N],
        addresses: [SocketAddr; N],
        act: fn(SocketAddr) -> io::Result<Duration>,
    ) -> anyhow::Result<()> {
        let bare = node()?;
        let client = IpAddr::from(CLIENT);
        let first = names.first().copied().unwrap_or_default();
        for _ in 0..self.load.connections.div_ceil(BLOCK) {
            let failed = "traffic inside the lab";
            let direct = bare.host_of(client)?.run(|| block(act, [straight()])).context(failed)?;
            let ruled = session.topology.host_of(client)?;
            let ruled = ruled.run(|| block(act, addresses)).with_context(|| {
                format!("{failed}, with {}\n{}", self.arm.name, session.output())
            })?;
            let mut recorder = self.recorder();
            for (name, times) in names.into_iter().zip(ruled) {
                record(&mut recorder, name, &times);
            }
            recorder.arm = DIRECT;
            direct.iter().for_each(|times| record(&mut recorder, first, times));
        }
        Ok(())
    }
}

fn straight() -> SocketAddr {
    SocketAddr::new(IpAddr::from(POD), PORT)
}

fn record(recorder: &mut Recorder<'_>, name: &'static str, times: &[Duration]) {
    times.iter().for_each(|time| recorder.time(name, *time));
    let sum: Duration = times.iter().sum();
    if !sum.is_zero() {
        // One client that begins anew as soon as it is answered.
        recorder.record(name, Metric::Rate, times.len() as f64 / sum.as_secs_f64());
    }
}

/// Acts on each address in turn. Each comes first as often as the others, because what
/// follows finds warmer caches.
fn block<const N: usize>(
    act: fn(SocketAddr) -> io::Result<Duration>,
    addresses: [SocketAddr; N],
) -> io::Result<Times<N>> {
    let mut times: Times<N> = std::array::from_fn(|_| Vec::new());
    for round in 0..WARM_UP + BLOCK {
        let mut kinds: Vec<_> = times.iter_mut().zip(addresses).collect();
        kinds.rotate_left(round as usize % N);
        for (times, address) in kinds {
            let failed =
                |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
            let time = act(address).map_err(failed)?;
            if round >= WARM_UP {
                times.push(time);
            }
        }
    }
    Ok(times)
}

fn connect(address: SocketAddr) -> io::Result<Duration> {
    let start = Instant::now();
    let connection = TcpStream::connect_timeout(&address, ANSWER)?;
    let time = start.elapsed();
    drop(connection);
    Ok(time)
}

fn ask(address: SocketAddr) -> io::Result<Duration> {
    let start = Instant::now();
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    socket.set_read_timeout(Some(ANSWER))?;
    socket.connect(address)?;
    socket.send(b"who")?;
    socket.recv(&mut [0; 256])?;
    Ok(start.elapsed())
}
