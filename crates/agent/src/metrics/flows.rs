//! Connection tracking: what the thread for stale flows does.

use std::time::Duration;

use portolan_core::Family;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::labels::{By, histograms, ip_family, zeros};

/// What is counted of flows. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct FlowMetrics {
    duration: By<1, Histogram>,
    listed: By<1, Counter>,
    deleted: By<1, Counter>,
    failures: Counter,
}

impl Default for FlowMetrics {
    fn default() -> FlowMetrics {
        FlowMetrics {
            // As for syncs.
            duration: histograms(|| Histogram::new(exponential_buckets(0.001, 2.0, 15))),
            listed: zeros(Family::BOTH.map(ip_family)),
            deleted: zeros(Family::BOTH.map(ip_family)),
            failures: Counter::default(),
        }
    }
}

impl FlowMetrics {
    /// So many flows of a family were listed.
    pub(crate) fn listed(&self, family: Family, count: u64) {
        self.listed.get_or_create(&ip_family(family)).inc_by(count);
    }

    /// A stale flow was deleted.
    pub(crate) fn deleted(&self, family: Family) {
        self.deleted.get_or_create(&ip_family(family)).inc();
    }

    /// The flows of these families were looked at, and the stale ones deleted.
    pub(crate) fn swept(&self, families: impl Iterator<Item = Family>, took: Duration) {
        for family in families {
            self.duration.get_or_create(&ip_family(family)).observe(took.as_secs_f64());
        }
    }

    /// Flows could not be listed or not be deleted.
    pub(crate) fn failed(&self) {
        self.failures.inc();
    }

    /// Flows deleted so far.
    pub(crate) fn total_deleted(&self) -> u64 {
        let of = |family| self.deleted.get_or_create(&ip_family(family)).get();
        Family::BOTH.into_iter().map(of).sum()
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "kubeproxy_conntrack_reconciler_sync_duration_seconds",
            "ReconcileConntrackFlowsLatency latency in seconds; no sync waits for it",
            self.duration.clone(),
        );
        registry.register(
            "kubeproxy_conntrack_reconciler_deleted_entries",
            "Cumulative conntrack flows deleted by conntrack reconciler",
            self.deleted.clone(),
        );
        registry.register(
            "portolan_conntrack_listed_entries",
            "Flows that the kernel listed to find stale ones among them",
            self.listed.clone(),
        );
        registry.register(
            "portolan_conntrack_failures",
            "Failures to list flows or to delete stale ones; what is due is tried again",
            self.failures.clone(),
        );
    }
}
