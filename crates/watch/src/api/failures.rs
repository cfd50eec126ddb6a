//! How often watches failed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use portolan_core::ObjectKind;

/// How often the watch of each kind failed and had to be resumed or begun again. What has
/// to be mended, [`SourceEvent::Problems`](crate::SourceEvent::Problems) says. A watch
/// that the server ends in time is no failure. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct WatchFailures(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    services: AtomicU64,
    endpoint_slices: AtomicU64,
    nodes: AtomicU64,
    service_cidrs: AtomicU64,
}

impl WatchFailures {
    /// Failures so far.
    pub fn of(&self, kind: ObjectKind) -> u64 {
        self.counter(kind).load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, kind: ObjectKind) {
        self.counter(kind).fetch_add(1, Ordering::Relaxed);
    }

    fn counter(&self, kind: ObjectKind) -> &AtomicU64 {
        match kind {
            ObjectKind::Service => &self.0.services,
            ObjectKind::EndpointSlice => &self.0.endpoint_slices,
            ObjectKind::Node => &self.0.nodes,
            ObjectKind::ServiceCIDR => &self.0.service_cidrs,
        }
    }
}
