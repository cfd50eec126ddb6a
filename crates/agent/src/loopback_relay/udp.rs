//! One NodePort of UDP.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Weak};

use tokio::io::{Interest, Ready};
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep, sleep_until};

use super::board::PortNote;
use super::choice::SharedChoice;
use super::counters::Present;
use super::flow_table::{Flow, FlowKey};
use super::shared::Shared;
use crate::http::ACCEPT_AGAIN;
use crate::own_task::OwnTask;

/// A flow whose endpoint refused an earlier datagram says so only now; this datagram is
/// not lost for that.
const ATTEMPTS: usize = 2;

/// One NodePort of UDP.
pub(super) struct UdpRelay {
    pub(super) choice: SharedChoice,
    pub(super) note: Arc<PortNote>,
    pub(super) shared: Arc<Shared>,
}

impl UdpRelay {
    /// Takes datagrams of clients until it is dropped. Flows end apart from it.
    pub(super) async fn serve(self) {
        let (socket, _place) = self.shared.open(&self.note, bind).await;
        let socket = Arc::new(socket);
        loop {
            let received = match socket.readable().await {
                Ok(()) => self.receive(&socket),
                Err(error) => Err(error),
            };
            if let Err(error) = received {
                self.shared.complain(&format!("cannot receive a datagram on ::1: {error}"));
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }

    /// Takes one datagram.
    fn receive(&self, socket: &Arc<UdpSocket>) -> io::Result<()> {
        let mut scratch = self.shared.scratch();
        let (length, client) = match socket.try_recv_from(&mut scratch) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            received => received?,
        };
        if !self.forward(socket, client, scratch.get(..length).unwrap_or_default()) {
            self.shared.counters().count(|it| &it.datagrams_dropped);
        }
        Ok(())
    }

    /// Whether the datagram is on its way.
    fn forward(&self, socket: &Arc<UdpSocket>, client: SocketAddr, datagram: &[u8]) -> bool {
        let key = FlowKey { port: self.note.node_port.port, client };
        for _ in 0..ATTEMPTS {
            let known = self.shared.flows.used(key);
            let Some(flow) = known.or_else(|| self.begin(socket, key)) else { return false };
            match flow.send(datagram) {
                Ok(()) => return true,
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    self.shared.flows.end(key);
                }
                Err(_) => return false,
            }
        }
        false
    }

    fn begin(&self, socket: &Arc<UdpSocket>, key: FlowKey) -> Option<Arc<Flow>> {
        let (shared, counters) = (&self.shared, self.shared.counters());
        if shared.flows.make_room(shared.limits.flows) {
            counters.count(|it| &it.flows_displaced);
            shared.complain(
                "too many UDP flows from ::1 to NodePorts, and those that were not used for \
                 longest end early. Programs with many clients should use a ClusterIP, or \
                 another address of this node",
            );
        }
        let Some(place) = shared.limits.socket() else {
            shared.complain(
                "no file descriptor is left for another UDP flow from ::1 to NodePorts; its \
                 datagrams are dropped. Give this agent a higher limit on open files \
                 (RLIMIT_NOFILE, LimitNOFILE of systemd)",
            );
            return None;
        };
        let endpoint = self.choice.choose(&[])?;
        let present = Present::new(counters, |it| &it.flows, &self.note.active);
        let flow = Arc::new(Flow::begin(endpoint, present, place).ok()?);
        counters.count(|it| &it.flows_begun);
        let answers = Answers {
            shared: Arc::clone(shared),
            key,
            flow: Arc::clone(&flow),
            socket: Arc::downgrade(socket),
        };
        shared.flows.insert(key, Arc::clone(&flow), OwnTask::start(answers.carry()));
        Some(flow)
    }
}

/// What carries the answers of one flow.
struct Answers {
    shared: Arc<Shared>,
    key: FlowKey,
    flow: Arc<Flow>,
    /// The client's end. Not held: it is closed when the NodePort is.
    socket: Weak<UdpSocket>,
}

impl Answers {
    /// Until the flow was idle for too long, or the endpoint refuses.
    async fn carry(self) {
        loop {
            tokio::select! {
                ready = self.flow.upstream.ready(Interest::READABLE | Interest::ERROR) => {
                    // An error is the endpoint's refusal.
                    let refused = ready.map_or(true, Ready::is_error);
                    if refused || self.receive().is_err() {
                        break;
                    }
                }
                () = sleep_until(self.flow.deadline()) => {
                    if self.flow.deadline() <= Instant::now() {
                        break;
                    }
                }
            }
        }
        self.shared.flows.end_this(self.key, &self.flow);
    }

    /// Takes one datagram, unless the NodePort has ended.
    fn receive(&self) -> io::Result<()> {
        let mut scratch = self.shared.scratch();
        let length = match self.flow.upstream.try_recv(&mut scratch) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            received => received?,
        };
        self.flow.answered();
        let socket = self.socket.upgrade().ok_or(ErrorKind::NotConnected)?;
        let datagram = scratch.get(..length).unwrap_or_default();
        if socket.try_send_to(datagram, self.key.client).is_err() {
            self.shared.counters().count(|it| &it.datagrams_dropped);
        }
        Ok(())
    }
}

fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = std::net::UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket)
}
