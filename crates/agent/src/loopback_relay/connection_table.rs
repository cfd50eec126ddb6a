//! The TCP connections of all NodePorts, as far as they have an endpoint.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portolan_core::EndpointAddress;
use tokio::sync::oneshot;

/// Connections by NodePort (host byte order) and number, each with what ends it.
#[derive(Default)]
pub(super) struct ConnectionTable {
    connections: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    by_port: BTreeMap<(u16, u64), (EndpointAddress, oneshot::Sender<()>)>,
    /// The number of the next one.
    next: u64,
}

/// A place in the table, which is free again when this is dropped.
pub(super) struct Entry {
    table: Arc<ConnectionTable>,
    key: (u16, u64),
    ended: oneshot::Receiver<()>,
}

impl ConnectionTable {
    /// Enters a connection of a NodePort to an endpoint.
    pub(super) fn enter(self: &Arc<Self>, port: u16, endpoint: EndpointAddress) -> Entry {
        let (sender, ended) = oneshot::channel();
        let mut connections = self.lock();
        let key = (port, connections.next);
        connections.next += 1;
        connections.by_port.insert(key, (endpoint, sender));
        Entry { table: Arc::clone(self), key, ended }
    }

    /// Ends the connections of a NodePort to endpoints that are not in `serving`, which is
    /// sorted, whichever Service had it when they began: connection tracking and IPVS know
    /// them by the NodePort too. Costs as much as the NodePort has connections.
    pub(super) fn keep_only(&self, port: u16, serving: &[EndpointAddress]) {
        let mut connections = self.lock();
        let of_port = connections.by_port.range((port, 0)..=(port, u64::MAX));
        let is_gone = |endpoint: &EndpointAddress| serving.binary_search(endpoint).is_err();
        let gone = of_port.filter(|(_, (endpoint, _))| is_gone(endpoint));
        for key in gone.map(|(key, _)| *key).collect::<Vec<_>>() {
            connections.by_port.remove(&key);
        }
    }

    // No holder of the lock leaves it half written.
    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    /// Returns when the endpoint serves no longer.
    pub(super) async fn ended(&mut self) {
        // Nothing is ever sent: the sender goes with its place in the table.
        let _ = (&mut self.ended).await;
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.table.lock().by_port.remove(&self.key);
    }
}
