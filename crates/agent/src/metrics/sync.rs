//! Syncs: how long they take, what they send, and how they fail.

use std::time::Duration;

use jiff::Timestamp;
use portolan_core::{Family, SyncReport};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::labels::{By, Label, Seconds, SecondsCounter, histograms, ip_family, seconds, zeros};
use crate::reconciler::{Call, CallKind, ConvergeReason};

const SUCCESS: Label = ("result", "success");
const ERROR: Label = ("result", "error");
const KINDS: [&str; 6] = ["changes", "environment", "start", "failure", "disturbance", "switch"];

/// What the loop counts of the backend's calls.
#[derive(Clone, Debug)]
pub(crate) struct SyncMetrics {
    duration: By<1, Histogram>,
    full_duration: By<1, Histogram>,
    partial_duration: By<1, Histogram>,
    last: By<1, Seconds>,
    failures: By<1, Counter>,
    cleanup_failures: By<1, Counter>,
    event_to_kernel: Histogram,
    syncs: By<2, Counter>,
    failures_in_row: Gauge,
    operations: By<1, Counter>,
    transactions: Counter,
    bytes: Counter,
    kernel: SecondsCounter,
    checks: By<1, Counter>,
    put_back: Counter,
}

impl Default for SyncMetrics {
    fn default() -> SyncMetrics {
        // Those of kube-proxy: 1 ms to 16 s.
        let duration = || histograms(|| Histogram::new(exponential_buckets(0.001, 2.0, 15)));
        let results = |kind| [SUCCESS, ERROR].map(|result| [("kind", kind), result]);
        SyncMetrics {
            duration: duration(),
            full_duration: duration(),
            partial_duration: duration(),
            // Not there before the first sync: zero would be the year 1970.
            last: By::default(),
            failures: zeros(Family::BOTH.map(ip_family)),
            cleanup_failures: zeros(Family::BOTH.map(ip_family)),
            // 16 µs to 4 s.
            event_to_kernel: Histogram::new(exponential_buckets(0.000_015_625, 4.0, 10)),
            syncs: zeros(KINDS.into_iter().flat_map(results)),
            failures_in_row: Gauge::default(),
            operations: zeros(["add", "delete"].map(operation)),
            transactions: Counter::default(),
            bytes: Counter::default(),
            kernel: SecondsCounter::default(),
            checks: zeros(["undisturbed", "disturbed", "error"].map(|result| [("result", result)])),
            put_back: Counter::default(),
        }
    }
}

impl SyncMetrics {
    /// A sync took `took`, planning included, and ended at `at`. It holds events that
    /// have waited for `since_event`.
    pub(crate) fn succeeded(
        &self,
        call: &Call,
        report: &SyncReport,
        took: Duration,
        since_event: Duration,
        at: Timestamp,
    ) {
        self.observe(call, took);
        if let Some(kind) = kind(call.kind) {
            self.syncs.get_or_create(&[("kind", kind), SUCCESS]).inc();
        }
        self.up_to_date(at);
        let holds_events = CallKind::Converge(ConvergeReason::Failure);
        if call.kind == CallKind::Apply || call.kind == holds_events {
            self.event_to_kernel.observe(since_event.as_secs_f64());
        }
        self.failures_in_row.set(0);
        self.sent(report);
        if call.repairs() && report.added + report.deleted > 0 {
            self.put_back.inc();
        }
    }

    /// The kernel is as all events up to `at` want it, whether or not that took a call.
    /// kube-proxy syncs after every event, and alerts compare the time of the last one with
    /// this.
    pub(crate) fn up_to_date(&self, at: Timestamp) {
        for family in Family::BOTH {
            self.last.get_or_create(&ip_family(family)).set(seconds(at.as_millisecond()));
        }
    }

    fn sent(&self, report: &SyncReport) {
        let add = |counter: &Counter, count: usize| counter.inc_by(count as u64);
        add(&self.operations.get_or_create(&operation("add")), report.added);
        add(&self.operations.get_or_create(&operation("delete")), report.deleted);
        add(&self.transactions, report.transactions);
        add(&self.bytes, report.bytes);
        self.kernel.inc_by(report.kernel.as_secs_f64());
    }

    /// A call failed, the last of `in_row`.
    pub(crate) fn failed(&self, call: &Call, took: Duration, in_row: u32) {
        self.failures_in_row.set(in_row.into());
        let Some(kind) = kind(call.kind) else {
            self.checks.get_or_create(&[ERROR]).inc();
            return;
        };
        self.observe(call, took);
        self.syncs.get_or_create(&[("kind", kind), ERROR]).inc();
        if let CallKind::Switch = call.kind {
            // Nothing that has to be served is not: the backend in use goes on.
            return;
        }
        for family in Family::BOTH {
            self.failures.get_or_create(&ip_family(family)).inc();
        }
    }

    /// The backend was asked whether others changed what is ours.
    pub(crate) fn checked(&self, disturbed: bool) {
        let result = if disturbed { "disturbed" } else { "undisturbed" };
        self.checks.get_or_create(&[("result", result)]).inc();
    }

    fn observe(&self, call: &Call, took: Duration) {
        let of_kind = match call.kind {
            CallKind::Converge(_) | CallKind::Switch => &self.full_duration,
            CallKind::Apply | CallKind::Adapt => &self.partial_duration,
            CallKind::Check => return,
        };
        for labels in Family::BOTH.map(ip_family) {
            self.duration.get_or_create(&labels).observe(took.as_secs_f64());
            of_kind.get_or_create(&labels).observe(took.as_secs_f64());
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        self.register_kube_proxy(registry);
        self.register_results(registry);
        self.register_work(registry);
    }

    fn register_results(&self, registry: &mut Registry) {
        registry.register(
            "portolan_event_to_kernel_duration_seconds",
            "Time from the first event in a sync until the kernel has confirmed it",
            self.event_to_kernel.clone(),
        );
        registry.register(
            "portolan_syncs",
            "Syncs by what made them necessary. Only changes and environment send what \
             differs without comparing everything with the kernel",
            self.syncs.clone(),
        );
        registry.register(
            "portolan_sync_failures_in_row",
            "Calls of the backend that failed since the last sync that succeeded",
            self.failures_in_row.clone(),
        );
        registry.register(
            "portolan_disturbance_checks",
            "How often the kernel was asked whether others may have changed what is ours, by \
             its answer",
            self.checks.clone(),
        );
        registry.register(
            "portolan_disturbances_put_back",
            "Syncs that had to put back what others changed in our tables",
            self.put_back.clone(),
        );
    }

    fn register_work(&self, registry: &mut Registry) {
        registry.register(
            "portolan_sync_operations",
            "Objects and elements added to the kernel or deleted from it by successful syncs",
            self.operations.clone(),
        );
        registry.register(
            "portolan_sync_transactions",
            "Kernel transactions of successful syncs",
            self.transactions.clone(),
        );
        registry.register(
            "portolan_sync_bytes",
            "Bytes sent to the kernel by successful syncs",
            self.bytes.clone(),
        );
        registry.register(
            "portolan_sync_kernel_seconds",
            "Time that successful syncs waited for the kernel",
            self.kernel.clone(),
        );
    }

    fn register_kube_proxy(&self, registry: &mut Registry) {
        registry.register(
            "kubeproxy_sync_proxy_rules_duration_seconds",
            "SyncProxyRules latency in seconds, failed syncs included",
            self.duration.clone(),
        );
        registry.register(
            "kubeproxy_sync_full_proxy_rules_duration_seconds",
            "SyncProxyRules latency in seconds for full resyncs: everything is compared with \
             the kernel, at start, after a failure or after changes by others",
            self.full_duration.clone(),
        );
        registry.register(
            "kubeproxy_sync_partial_proxy_rules_duration_seconds",
            "SyncProxyRules latency in seconds for partial resyncs: only changes are sent",
            self.partial_duration.clone(),
        );
        registry.register(
            "kubeproxy_sync_proxy_rules_last_timestamp_seconds",
            "The last time proxy rules were successfully synced",
            self.last.clone(),
        );
        registry.register(
            "kubeproxy_sync_proxy_rules_nftables_sync_failures",
            "Cumulative proxy nftables sync failures; one transaction holds both families",
            self.failures.clone(),
        );
        registry.register(
            "kubeproxy_sync_proxy_rules_nftables_cleanup_failures",
            "Cumulative proxy nftables cleanup failures: always 0, since what is not needed \
             goes in the same transaction as what is changed",
            self.cleanup_failures.clone(),
        );
    }
}

/// The label of a sync; `None` for what is none.
fn kind(kind: CallKind) -> Option<&'static str> {
    match kind {
        CallKind::Apply => Some("changes"),
        CallKind::Adapt => Some("environment"),
        CallKind::Converge(ConvergeReason::Start) => Some("start"),
        CallKind::Converge(ConvergeReason::Failure) => Some("failure"),
        CallKind::Converge(ConvergeReason::Disturbance) => Some("disturbance"),
        CallKind::Switch => Some("switch"),
        CallKind::Check => None,
    }
}

fn operation(name: &'static str) -> [Label; 1] {
    [("operation", name)]
}
