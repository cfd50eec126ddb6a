//! Events: how many there were, how many wait, and how long until the network follows.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use jiff::Timestamp;
use portolan_core::Family;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::labels::{By, histograms, ip_family, seconds};

/// What the loop counts of its input.
#[derive(Clone, Debug)]
pub(crate) struct ChangeMetrics {
    pub(crate) services: Counter,
    pub(crate) services_pending: Gauge,
    pub(crate) endpoints: Counter,
    pub(crate) endpoints_pending: Gauge,
    last_queued: LastQueued,
    programming: By<1, Histogram>,
}

impl Default for ChangeMetrics {
    fn default() -> ChangeMetrics {
        ChangeMetrics {
            services: Counter::default(),
            services_pending: Gauge::default(),
            endpoints: Counter::default(),
            endpoints_pending: Gauge::default(),
            last_queued: LastQueued::default(),
            programming: histograms(|| Histogram::new(programming_buckets())),
        }
    }
}

/// When a sync was asked for last, in milliseconds since the Unix epoch; zero for never.
/// Every event asks, so that this is one number and no series to look for.
#[derive(Clone, Debug, Default)]
struct LastQueued(Arc<AtomicI64>);

impl Collector for LastQueued {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let milliseconds = self.0.load(Relaxed);
        if milliseconds == 0 {
            return Ok(());
        }
        let name = "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds";
        let help = "The last time a sync of proxy rules was queued.";
        let mut encoder = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for labels in Family::BOTH.map(ip_family) {
            let time = ConstGauge::new(seconds(milliseconds));
            time.encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

/// Those of kube-proxy.
fn programming_buckets() -> impl Iterator<Item = f64> {
    let every = |from: u32, step: u32, count: u32| (0..count).map(move |n| from + n * step);
    let whole = every(1, 1, 59).chain(every(60, 5, 12)).chain(every(120, 30, 7));
    [0.25, 0.5].into_iter().chain(whole.map(f64::from))
}

impl ChangeMetrics {
    /// An event asks for a sync.
    pub(crate) fn queued(&self, now: Timestamp) {
        self.last_queued.0.store(now.as_millisecond(), Relaxed);
    }

    /// A change of endpoints that began that long ago is in the kernel.
    pub(crate) fn programmed(&self, family: Family, milliseconds: u64) {
        let took = Duration::from_millis(milliseconds);
        self.programming.get_or_create(&ip_family(family)).observe(took.as_secs_f64());
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register_collector(Box::new(self.last_queued.clone()));
        registry.register(
            "kubeproxy_sync_proxy_rules_endpoint_changes_pending",
            "Pending proxy rules Endpoint changes",
            self.endpoints_pending.clone(),
        );
        registry.register(
            "kubeproxy_sync_proxy_rules_endpoint_changes",
            "Cumulative proxy rules Endpoint changes",
            self.endpoints.clone(),
        );
        registry.register(
            "kubeproxy_sync_proxy_rules_service_changes_pending",
            "Pending proxy rules Service changes",
            self.services_pending.clone(),
        );
        registry.register(
            "kubeproxy_sync_proxy_rules_service_changes",
            "Cumulative proxy rules Service changes",
            self.services.clone(),
        );
        registry.register(
            "kubeproxy_network_programming_duration_seconds",
            "In Cluster Network Programming Latency in seconds: from the change of a Pod or \
             Service until this node follows it, by the clocks of the control plane and of \
             this node",
            self.programming.clone(),
        );
    }
}
