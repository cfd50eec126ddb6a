//! How each NodePort is, for those who ask.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portolan_core::ObjectName;

use super::counters::Counters;
use super::node_port::NodePort;
use crate::control::{LoopbackPort, LoopbackReport, PortState};

/// Everything that can be told of the relay.
pub(super) struct Board {
    pub(super) counters: Arc<Counters>,
    ports: Mutex<BTreeMap<NodePort, Arc<PortNote>>>,
}

/// What can be told of one NodePort.
pub(super) struct PortNote {
    pub(super) node_port: NodePort,
    told: Mutex<Told>,
    /// Connections or flows now.
    pub(super) active: Arc<AtomicU64>,
}

struct Told {
    service: ObjectName,
    state: PortState,
}

impl Board {
    pub(super) fn new(counters: Arc<Counters>) -> Board {
        Board { counters, ports: Mutex::default() }
    }

    /// A NodePort that is about to be opened.
    pub(super) fn add(&self, node_port: NodePort, service: ObjectName) -> Arc<PortNote> {
        let told = Mutex::new(Told { service, state: PortState::Opening });
        let note = Arc::new(PortNote { node_port, told, active: Arc::default() });
        self.ports().insert(node_port, Arc::clone(&note));
        note
    }

    pub(super) fn remove(&self, node_port: NodePort) {
        self.ports().remove(&node_port);
    }

    /// Costs as much as there are NodePorts.
    pub(super) fn report(&self) -> LoopbackReport {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        LoopbackReport {
            ports: self.ports().values().map(|note| note.read()).collect(),
            connections: read(&counters.connections),
            accepted: read(&counters.accepted),
            over_limit: read(&counters.over_limit),
            unreachable: read(&counters.unreachable),
            flows: read(&counters.flows),
            flows_begun: read(&counters.flows_begun),
            flows_displaced: read(&counters.flows_displaced),
            datagrams_dropped: read(&counters.datagrams_dropped),
        }
    }

    // No holder of the lock leaves it half written.
    fn ports(&self) -> MutexGuard<'_, BTreeMap<NodePort, Arc<PortNote>>> {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PortNote {
    /// It belongs to this Service now.
    pub(super) fn belongs_to(&self, service: ObjectName) {
        self.told().service = service;
    }

    /// Whom it belongs to.
    pub(super) fn service(&self) -> ObjectName {
        self.told().service.clone()
    }

    pub(super) fn is(&self, state: PortState) {
        self.told().state = state;
    }

    fn read(&self) -> LoopbackPort {
        let told = self.told();
        LoopbackPort {
            service: told.service.clone(),
            protocol: self.node_port.transport.into(),
            port: self.node_port.port,
            state: told.state.clone(),
            active: self.active.load(Ordering::Relaxed),
        }
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
