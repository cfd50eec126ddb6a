//! What the relay did, in numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counted since the start of the agent, but for what there is now.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// TCP connections that were accepted on `::1` and given to an endpoint, or tried to.
    pub(crate) accepted: AtomicU64,
    /// TCP connections that were reset because there were too many.
    pub(crate) over_limit: AtomicU64,
    /// TCP connections that were reset because no endpoint that was tried took them.
    pub(crate) unreachable: AtomicU64,
    /// TCP connections now.
    pub(crate) connections: AtomicU64,
    /// UDP flows that began.
    pub(crate) flows_begun: AtomicU64,
    /// UDP flows that ended early to make place for new ones.
    pub(crate) flows_displaced: AtomicU64,
    /// UDP flows now.
    pub(crate) flows: AtomicU64,
    /// Datagrams that reached neither endpoint nor client, as far as this node knows.
    pub(crate) datagrams_dropped: AtomicU64,
}

/// Which of the [`Counters`].
pub(super) type Which = fn(&Counters) -> &AtomicU64;

impl Counters {
    /// One more.
    pub(super) fn count(&self, which: Which) {
        which(self).fetch_add(1, Ordering::Relaxed);
    }
}

/// One of what there is now, for as long as this lives.
pub(super) struct Present {
    counters: Arc<Counters>,
    which: Which,
    of_port: Arc<AtomicU64>,
}

impl Present {
    /// Counted with all others and with those of its NodePort.
    pub(super) fn new(counters: &Arc<Counters>, which: Which, of_port: &Arc<AtomicU64>) -> Present {
        counters.count(which);
        of_port.fetch_add(1, Ordering::Relaxed);
        Present { counters: Arc::clone(counters), which, of_port: Arc::clone(of_port) }
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        (self.which)(&self.counters).fetch_sub(1, Ordering::Relaxed);
        self.of_port.fetch_sub(1, Ordering::Relaxed);
    }
}
