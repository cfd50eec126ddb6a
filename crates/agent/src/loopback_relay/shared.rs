//! What all relays have in common, and how each of them starts.

use std::io::{self, ErrorKind};
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portolan_core::Protocol;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::board::{Board, PortNote};
use super::connection_table::ConnectionTable;
use super::counters::Counters;
use super::flow_table::FlowTable;
use super::limits::{Limits, Place};
use crate::control::PortState;
use crate::listen::{LISTEN_AGAIN, hint, until_bound};

/// The longest payload of a datagram that its header can tell.
const LONGEST_DATAGRAM: usize = 65_535;
/// Complaints of one kind are at least this far apart.
const COMPLAIN_AGAIN: Duration = Duration::from_secs(60);

/// What all relays have in common.
pub(super) struct Shared {
    pub(super) board: Arc<Board>,
    pub(super) limits: Limits,
    pub(super) flows: FlowTable,
    pub(super) connections: Arc<ConnectionTable>,
    /// Where datagrams are while they change sockets. There may be thousands of sockets,
    /// and one thread.
    scratch: Mutex<Vec<u8>>,
    absence_told: AtomicBool,
    complained: Mutex<Option<Instant>>,
}

impl Shared {
    pub(super) fn new(board: Arc<Board>, limits: Limits) -> Shared {
        Shared {
            board,
            limits,
            flows: FlowTable::default(),
            connections: Arc::default(),
            scratch: Mutex::new(vec![0; LONGEST_DATAGRAM]),
            absence_told: AtomicBool::new(false),
            complained: Mutex::new(None),
        }
    }

    pub(super) fn counters(&self) -> &Arc<Counters> {
        &self.board.counters
    }

    pub(super) fn scratch(&self) -> MutexGuard<'_, Vec<u8>> {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the socket of a NodePort, as soon as that works.
    pub(super) async fn open<S>(
        &self,
        note: &PortNote,
        bind: impl Fn(SocketAddr) -> io::Result<S>,
    ) -> (S, Place) {
        let address = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), note.node_port.port);
        let mut told = false;
        let failed = |error: &io::Error| {
            note.is(PortState::Failed(error.to_string()));
            if !std::mem::replace(&mut told, true) {
                self.tell_failure(note, error);
            }
        };
        let bind_with_place = || {
            let place = self.limits.socket().ok_or_else(no_place)?;
            Ok((bind(address)?, place))
        };
        let opened = until_bound(bind_with_place, failed).await;
        note.is(PortState::Open);
        if told {
            let (port, protocol) = port_and_protocol(note);
            info!(service = %note.service(), "NodePort {port}/{protocol} is served on ::1 now");
        }
        opened
    }

    fn tell_failure(&self, note: &PortNote, error: &io::Error) {
        let (port, protocol) = port_and_protocol(note);
        let absent = error.kind() == ErrorKind::AddrNotAvailable;
        if absent && self.absence_told.swap(true, Ordering::Relaxed) {
            return debug!("NodePort {port}/{protocol} is not served on ::1: {error}");
        }
        let others = if absent { " Other NodePorts will fail alike." } else { "" };
        warn!(
            service = %note.service(),
            "cannot serve NodePort {port}/{protocol} on ::1, though on this node's other \
             addresses: {error}; trying again every {} s.{}{others}",
            LISTEN_AGAIN.as_secs(),
            hint(error)
        );
    }

    /// Tells the operator, unless something was told just before.
    pub(super) fn complain(&self, what: &str) {
        let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if complained.is_none_or(|last| now.duration_since(last) >= COMPLAIN_AGAIN) {
            *complained = Some(now);
            warn!("{what}");
        }
    }
}

fn port_and_protocol(note: &PortNote) -> (u16, Protocol) {
    (note.node_port.port, note.node_port.transport.into())
}

fn no_place() -> io::Error {
    io::Error::other(
        "this agent may not open more files; give it a higher hard limit (RLIMIT_NOFILE)",
    )
}
