//! How much the relay may have at one time.

use std::sync::Arc;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

/// TCP connections at one time, over all NodePorts. Two file descriptors and some 20 KiB
/// each.
const CONNECTIONS: usize = 1024;
/// UDP flows at one time, over all NodePorts. A file descriptor each.
const FLOWS: usize = 1024;
/// File descriptors that are left to the rest of the agent.
const RESERVED: usize = 256;
/// File descriptors that this process should be allowed: the above, and a socket for each
/// NodePort of the usual range (30000-32767) in both protocols, with room.
const WANTED: usize = 16_384;

/// The limits, and what is left.
pub(super) struct Limits {
    pub(super) flows: usize,
    connections: Arc<Semaphore>,
    descriptors: Arc<Semaphore>,
}

/// A place among what there may be; free again when it is dropped.
pub(super) struct Place {
    _connection: Option<OwnedSemaphorePermit>,
    _descriptors: OwnedSemaphorePermit,
}

impl Limits {
    pub(super) fn new(connections: usize, flows: usize, descriptors: usize) -> Limits {
        Limits {
            flows,
            connections: Arc::new(Semaphore::new(connections)),
            descriptors: Arc::new(Semaphore::new(descriptors)),
        }
    }

    /// Those of this process, after its soft limit on open files was raised as far as it
    /// is needed and allowed.
    pub(super) fn of_this_process() -> Limits {
        let allowed = raise_open_files();
        if allowed < WANTED {
            warn!(
                "this agent may open {allowed} files: it relays fewer connections from ::1 to \
                 NodePorts than the {CONNECTIONS} it could. Give it a hard limit (RLIMIT_NOFILE, \
                 LimitNOFILE of systemd) of {WANTED} or more"
            );
        }
        let descriptors = allowed.saturating_sub(RESERVED);
        Limits::new(CONNECTIONS, flows_within(descriptors), descriptors)
    }

    /// For a TCP connection and its other half.
    pub(super) fn connection(&self) -> Option<Place> {
        let connection = Arc::clone(&self.connections).try_acquire_owned().ok()?;
        Some(Place { _connection: Some(connection), ..self.descriptors(2)? })
    }

    /// For a socket.
    pub(super) fn socket(&self) -> Option<Place> {
        self.descriptors(1)
    }

    fn descriptors(&self, count: u32) -> Option<Place> {
        let descriptors = Arc::clone(&self.descriptors).try_acquire_many_owned(count).ok()?;
        Some(Place { _connection: None, _descriptors: descriptors })
    }
}

/// Flows keep their descriptors for minutes. Where there are few, most are left to
/// connections, and to ports that open.
fn flows_within(descriptors: usize) -> usize {
    FLOWS.min(descriptors / 4).max(1)
}

/// The soft limit now.
fn raise_open_files() -> usize {
    let known = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX).min(WANTED);
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return WANTED };
    let raised = hard.min(WANTED as u64);
    // Nothing here uses select(2), for which the soft limit is kept low.
    if soft < raised && setrlimit(Resource::RLIMIT_NOFILE, raised, hard).is_ok() {
        return known(raised);
    }
    known(soft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_never_take_the_descriptors_that_connections_and_ports_need() {
        for (descriptors, flows) in [(0, 1), (768, 192), (4096, FLOWS), (WANTED, FLOWS)] {
            assert_eq!(flows_within(descriptors), flows, "{descriptors}");
        }
    }
}
