//! One NodePort of TCP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::{setsockopt, sockopt};
use portolan_core::EndpointAddress;
use tokio::io::Interest;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};
use tracing::debug;

use super::board::PortNote;
use super::carry::{carry, reset};
use super::choice::SharedChoice;
use super::connection_table::Entry;
use super::counters::Present;
use super::limits::Place;
use super::shared::Shared;
use crate::http::ACCEPT_AGAIN;

/// Connections of one NodePort that wait to be accepted.
const BACKLOG: u32 = 128;
/// Endpoints that are tried for one client.
const ATTEMPTS: usize = 3;
/// For each of them: the kernel asks three times, at 0, 1 and 3 s.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);
/// A client whose process is gone is noticed after about two minutes at the latest.
const CLIENT_IDLE: u32 = 60;

/// One NodePort of TCP.
pub(super) struct TcpRelay {
    pub(super) choice: SharedChoice,
    pub(super) note: Arc<PortNote>,
    pub(super) shared: Arc<Shared>,
}

impl TcpRelay {
    /// Listens until it is dropped. Connections that were accepted live on.
    pub(super) async fn serve(self) {
        let (listener, _place) = self.shared.open(&self.note, listen).await;
        loop {
            match listener.accept().await {
                Ok((client, _)) => self.admit(client),
                Err(error) => {
                    let what = format!("cannot accept a connection on ::1: {error}");
                    self.shared.complain(&what);
                    sleep(ACCEPT_AGAIN).await;
                }
            }
        }
    }

    fn admit(&self, client: TcpStream) {
        let counters = self.shared.counters();
        let Some(place) = self.shared.limits.connection() else {
            counters.count(|it| &it.over_limit);
            self.shared.complain(
                "too many connections from ::1 to NodePorts, and new ones are reset. `portolan \
                 dump` tells how many there are for each; programs with many connections should \
                 use a ClusterIP, or another address of this node",
            );
            return reset(client);
        };
        counters.count(|it| &it.accepted);
        let connection = Connection {
            port: self.note.node_port.port,
            choice: self.choice.clone(),
            shared: Arc::clone(&self.shared),
            _present: Present::new(counters, |it| &it.connections, &self.note.active),
            _place: place,
        };
        tokio::spawn(connection.serve(client));
    }
}

/// A client that was let in.
struct Connection {
    /// The NodePort, host byte order.
    port: u16,
    choice: SharedChoice,
    shared: Arc<Shared>,
    _present: Present,
    _place: Place,
}

impl Connection {
    async fn serve(self, client: TcpStream) {
        let upstream = tokio::select! {
            // A client that breaks off when it has its endpoint is told of to that one.
            biased;
            upstream = self.connect() => upstream,
            _ = client.ready(Interest::ERROR) => return,
        };
        match upstream {
            Some((upstream, mut entry)) => carry(client, upstream, entry.ended()).await,
            None => {
                self.shared.counters().count(|it| &it.unreachable);
                reset(client);
            }
        }
    }

    async fn connect(&self) -> Option<(TcpStream, Entry)> {
        let mut tried = Vec::new();
        while tried.len() < ATTEMPTS {
            let endpoint = self.choice.choose(&tried)?;
            tried.push(endpoint);
            // Entered before anything is waited for, so that no news of it are missed.
            let mut entry = self.shared.connections.enter(self.port, endpoint);
            match connect_to(endpoint, &mut entry).await {
                Ok(upstream) => return Some((upstream, entry)),
                Err(error) => debug!("from ::1 to endpoint {endpoint}: {error}"),
            }
        }
        None
    }
}

async fn connect_to(endpoint: EndpointAddress, entry: &mut Entry) -> io::Result<TcpStream> {
    let connecting = timeout(CONNECT_TIMEOUT, TcpStream::connect(SocketAddr::from(endpoint)));
    tokio::select! {
        biased;
        () = entry.ended() => Err(io::Error::other("it serves no longer")),
        connected = connecting => connected.map_err(|_| io::Error::other("no answer"))?,
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v6()?;
    // Else connections of an earlier listener would keep this one out.
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit it.
    socket.set_keepalive(true)?;
    setsockopt(&socket, sockopt::TcpKeepIdle, &CLIENT_IDLE)?;
    setsockopt(&socket, sockopt::TcpKeepInterval, &(CLIENT_IDLE / 4))?;
    setsockopt(&socket, sockopt::TcpKeepCount, &4)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}
