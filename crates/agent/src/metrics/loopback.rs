//! NodePorts on `::1`, as the relay counts them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::labels::Label;
use crate::loopback_relay::Counters;

/// Reads the relay's counters when somebody asks.
#[derive(Debug)]
pub(super) struct Loopback(pub(super) Arc<Counters>);

impl Collector for Loopback {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counters = &*self.0;
        for (name, help, gauge) in [
            (
                "portolan_loopback_connections",
                "TCP connections to NodePorts on ::1 now.",
                &counters.connections,
            ),
            ("portolan_loopback_flows", "UDP flows to NodePorts on ::1 now.", &counters.flows),
        ] {
            let encoder = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(get(gauge)).encode(encoder)?;
        }
        for (name, help, counter) in [
            (
                "portolan_loopback_connections_accepted",
                "TCP connections to NodePorts on ::1 that were given to an endpoint, or tried to.",
                &counters.accepted,
            ),
            (
                "portolan_loopback_flows_begun",
                "UDP flows to NodePorts on ::1 that began.",
                &counters.flows_begun,
            ),
            (
                "portolan_loopback_flows_displaced",
                "UDP flows to NodePorts on ::1 that ended early to make place for new ones.",
                &counters.flows_displaced,
            ),
            (
                "portolan_loopback_datagrams_dropped",
                "Datagrams of NodePorts on ::1 that reached neither endpoint nor client.",
                &counters.datagrams_dropped,
            ),
        ] {
            let encoder = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(get(counter)).encode(encoder)?;
        }
        resets(counters, &mut encoder)
    }
}

fn resets(counters: &Counters, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let mut encoder = encoder.encode_descriptor(
        "portolan_loopback_connections_reset",
        "TCP connections to NodePorts on ::1 that were reset: there were too many \
         (over_limit), or no endpoint that was tried took them (unreachable).",
        None,
        MetricType::Counter,
    )?;
    for (reason, counter) in
        [("over_limit", &counters.over_limit), ("unreachable", &counters.unreachable)]
    {
        let labels: [Label; 1] = [("reason", reason)];
        ConstCounter::new(get(counter)).encode(encoder.encode_family(&labels)?)?;
    }
    Ok(())
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
