//! The whole page.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use portolan_core::ObjectKind;
use portolan_watch::WatchFailures;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::time::Instant;

use super::labels::{Label, Seconds, seconds};
use super::loopback::Loopback;
use super::{FlowMetrics, HealthAnswers, LoopMetrics, Readings, readings};
use crate::health::Health;
use crate::loopback_relay::Counters;

/// Whose counts are on the page.
pub(crate) struct Parts<'a> {
    pub(crate) agent: &'a LoopMetrics,
    pub(crate) flows: &'a FlowMetrics,
    pub(crate) answers: &'a HealthAnswers,
    pub(crate) failures: WatchFailures,
    pub(crate) health: watch::Receiver<Health>,
    pub(crate) loopback: Arc<Counters>,
}

/// All metrics, to be written whenever somebody asks.
#[derive(Clone)]
pub(crate) struct Page {
    registry: Arc<Registry>,
}

impl Page {
    /// The page of an agent that starts now.
    pub(crate) fn new(parts: Parts<'_>) -> Page {
        Page::reading(parts, Timestamp::now(), readings::read)
    }

    /// With `read` in place of this process.
    pub(crate) fn reading(parts: Parts<'_>, started: Timestamp, read: fn() -> Readings) -> Page {
        let mut registry = Registry::default();
        parts.agent.register(&mut registry);
        parts.flows.register(&mut registry);
        parts.answers.register(&mut registry);
        registry.register_collector(Box::new(Waiting(parts.health)));
        registry.register_collector(Box::new(Watches(parts.failures)));
        registry.register_collector(Box::new(Loopback(parts.loopback)));
        let version: [Label; 1] = [("version", env!("CARGO_PKG_VERSION"))];
        registry.register("portolan_build", "The version of this agent", Info::new(version));
        let start = Seconds::default();
        start.set(seconds(started.as_millisecond()));
        registry.register(
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds",
            start,
        );
        registry.register_collector(Box::new(Reader(read)));
        Page { registry: Arc::new(registry) }
    }

    /// In the format that [`prometheus_text::CONTENT_TYPE`] names.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // A String takes everything.
        let _ = prometheus_text::encode(&mut text, &self.registry);
        text
    }
}

/// How long the oldest change has waited.
#[derive(Debug)]
struct Waiting(watch::Receiver<Health>);

impl Collector for Waiting {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let waiting = self.0.borrow().waiting(Instant::now());
        let encoder = encoder.encode_descriptor(
            "portolan_oldest_change_waiting_seconds",
            "How long the oldest change that is not in the kernel yet has waited; /livez \
             fails at 60.",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(waiting.as_secs_f64()).encode(encoder)
    }
}

#[derive(Debug)]
struct Watches(WatchFailures);

impl Collector for Watches {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut encoder = encoder.encode_descriptor(
            "portolan_watch_failures",
            "Watches of the API server that failed and were resumed or begun again.",
            None,
            MetricType::Counter,
        )?;
        for (kind, name) in [
            (ObjectKind::Service, "services"),
            (ObjectKind::EndpointSlice, "endpointslices"),
            (ObjectKind::Node, "nodes"),
            (ObjectKind::ServiceCIDR, "servicecidrs"),
        ] {
            let labels: [Label; 1] = [("resource", name)];
            ConstCounter::new(self.0.of(kind)).encode(encoder.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Reader(fn() -> Readings);

impl Collector for Reader {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let readings = (self.0)();
        if let Some(cpu) = readings.cpu {
            let help = "Total user and system CPU time spent in seconds.";
            let name = "process_cpu_seconds";
            let encoder = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(cpu.as_secs_f64()).encode(encoder)?;
        }
        for (name, help, value) in readings.gauges() {
            let Some(value) = value else { continue };
            let encoder = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(encoder)?;
        }
        Ok(())
    }
}
