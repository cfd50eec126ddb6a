//! The UDP flows of all NodePorts.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::socket::{MsgFlags, send};
use portolan_core::EndpointAddress;
use tokio::net::UdpSocket;
use tokio::time::Instant;

use super::counters::Present;
use super::limits::Place;
use crate::own_task::OwnTask;

/// How long a flow without an answer is kept after its last datagram, and one with
/// answers: as in connection tracking (`nf_conntrack_udp_timeout` and `…_stream`).
pub(super) const UNANSWERED: Duration = Duration::from_secs(30);
pub(super) const ANSWERED: Duration = Duration::from_secs(120);

/// The flows, each with the task that carries its answers.
#[derive(Default)]
pub(super) struct FlowTable {
    flows: Mutex<BTreeMap<FlowKey, (Arc<Flow>, OwnTask)>>,
}

/// A client of a NodePort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FlowKey {
    pub(super) port: u16,
    pub(super) client: SocketAddr,
}

/// A client's way to its endpoint.
pub(super) struct Flow {
    endpoint: EndpointAddress,
    pub(super) upstream: UdpSocket,
    age: Mutex<Age>,
    _present: Present,
    _place: Place,
}

#[derive(Clone, Copy)]
struct Age {
    used: Instant,
    answered: bool,
}

impl FlowTable {
    /// The flow of a client that has just sent something.
    pub(super) fn used(&self, key: FlowKey) -> Option<Arc<Flow>> {
        let flow = Arc::clone(&self.lock().get(&key)?.0);
        flow.age().used = Instant::now();
        Some(flow)
    }

    pub(super) fn insert(&self, key: FlowKey, flow: Arc<Flow>, answers: OwnTask) {
        self.lock().insert(key, (flow, answers));
    }

    /// Ends the flow that was not used for longest if there are `limit` or more; whether
    /// it did. Costs as much as there are flows.
    pub(super) fn make_room(&self, limit: usize) -> bool {
        let mut flows = self.lock();
        if flows.len() < limit {
            return false;
        }
        let oldest = flows.iter().min_by_key(|(_, (flow, _))| flow.age().used);
        let oldest = oldest.map(|(key, _)| *key);
        oldest.is_some_and(|key| flows.remove(&key).is_some())
    }

    /// Ends the flow of a client.
    pub(super) fn end(&self, key: FlowKey) {
        self.lock().remove(&key);
    }

    /// Ends this flow, unless the client has another by now.
    pub(super) fn end_this(&self, key: FlowKey, flow: &Arc<Flow>) {
        let mut flows = self.lock();
        if flows.get(&key).is_some_and(|(current, _)| Arc::ptr_eq(current, flow)) {
            flows.remove(&key);
        }
    }

    /// Ends the flows of a NodePort to endpoints that are not in `serving`, which is
    /// sorted.
    pub(super) fn keep_only(&self, port: u16, serving: &[EndpointAddress]) {
        self.lock().retain(|key, (flow, _)| {
            key.port != port || serving.binary_search(&flow.endpoint).is_ok()
        });
    }

    // No holder of the lock leaves it half written.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<FlowKey, (Arc<Flow>, OwnTask)>> {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flow {
    /// A flow from an address of this node, which the kernel chooses.
    pub(super) fn begin(
        endpoint: EndpointAddress,
        present: Present,
        place: Place,
    ) -> io::Result<Flow> {
        let socket = std::net::UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0))?;
        socket.connect(SocketAddr::from(endpoint))?;
        socket.set_nonblocking(true)?;
        let upstream = UdpSocket::from_std(socket)?;
        let age = Mutex::new(Age { used: Instant::now(), answered: false });
        Ok(Flow { endpoint, upstream, age, _present: present, _place: place })
    }

    /// Sends without waiting. The runtime does not know yet whether a new socket can be
    /// written to, so it is not asked.
    pub(super) fn send(&self, datagram: &[u8]) -> io::Result<()> {
        send(self.upstream.as_raw_fd(), datagram, MsgFlags::MSG_DONTWAIT)?;
        Ok(())
    }

    /// The endpoint has just sent something.
    pub(super) fn answered(&self) {
        *self.age() = Age { used: Instant::now(), answered: true };
    }

    /// When it ends if nothing is sent until then.
    pub(super) fn deadline(&self) -> Instant {
        let age = *self.age();
        age.used + if age.answered { ANSWERED } else { UNANSWERED }
    }

    fn age(&self) -> MutexGuard<'_, Age> {
        self.age.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
