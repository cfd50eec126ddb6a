//! The page as Prometheus and people read it, and the server over loopback.

mod format;
mod kube_proxy;
mod server;

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use jiff::Timestamp;
use portolan_core::{Draining, Family, Remembered, SyncReport};
use portolan_watch::WatchFailures;
use tokio::sync::watch;
use tokio::time::Instant;

use super::*;
use crate::health::Health;
use crate::loopback_relay::Counters;
use crate::reconciler::{Call, CallKind, ConvergeReason};
use crate::testing::{page, page_of, sample};

const TEN_PAST_EIGHT: &str = "2026-05-04T08:10:00.25Z";

fn call(kind: CallKind) -> Call {
    Call { kind, services: 1, since: Instant::now(), planning: Duration::ZERO }
}

fn report(added: usize, deleted: usize) -> SyncReport {
    SyncReport { added, deleted, transactions: 1, bytes: 100, kernel: Duration::from_millis(2) }
}

fn succeed(metrics: &SyncMetrics, kind: CallKind, report: SyncReport) {
    let took = Duration::from_millis(3);
    let since_event = Duration::from_micros(100);
    metrics.succeeded(&call(kind), &report, took, since_event, TEN_PAST_EIGHT.parse().unwrap());
}

/// An agent that has done a little of everything.
fn busy_agent() -> LoopMetrics {
    let metrics = LoopMetrics::default();
    let LoopMetrics { sync, changes, programmed, draining, affinity, input } = &metrics;
    succeed(sync, CallKind::Converge(ConvergeReason::Start), report(1000, 0));
    sync.failed(&call(CallKind::Apply), Duration::from_millis(1), 1);
    sync.failed(&call(CallKind::Check), Duration::ZERO, 2);
    succeed(sync, CallKind::Converge(ConvergeReason::Failure), report(3, 1));
    sync.checked(false);
    sync.checked(true);
    succeed(sync, CallKind::Converge(ConvergeReason::Disturbance), report(0, 0));
    succeed(sync, CallKind::Converge(ConvergeReason::Disturbance), report(2, 0));
    succeed(sync, CallKind::Adapt, report(4, 0));
    succeed(sync, CallKind::Apply, report(2, 2));
    sync.failed(&call(CallKind::Apply), Duration::from_millis(1), 1);
    changes.queued(TEN_PAST_EIGHT.parse().unwrap());
    changes.services.inc_by(7);
    changes.endpoints.inc_by(9);
    changes.endpoints_pending.inc_by(1);
    changes.programmed(Family::V6, 700);
    programmed.set(&Tally::default());
    let (servers, endpoints, connections) = (1, 2, 30);
    let backend = "ipvs".to_owned();
    let left = Draining { backend, servers, endpoints, connections, seconds_left: 900 };
    draining.set(Some(&left), "nftables");
    let (family, map, clients, room) = (Family::V4, "affinity", 5, 262_144);
    affinity.set(&[Remembered { family, map, clients, room }]);
    input.problems(ProblemCounts { conflicts: 1, objects: 2, source: 3, backend: 4 });
    metrics
}

fn busy_relay() -> Arc<Counters> {
    Arc::new(Counters {
        accepted: 20.into(),
        over_limit: 3.into(),
        unreachable: 4.into(),
        connections: 1.into(),
        flows_begun: 60.into(),
        flows_displaced: 7.into(),
        flows: 2.into(),
        datagrams_dropped: 8.into(),
    })
}

fn busy_page() -> String {
    let flows = FlowMetrics::default();
    flows.listed(Family::V4, 40);
    flows.deleted(Family::V4);
    flows.swept([Family::V4].into_iter(), Duration::from_millis(5));
    flows.failed();
    let answers = HealthAnswers::default();
    answers.count("/healthz", StatusCode::OK);
    answers.count("/livez", StatusCode::SERVICE_UNAVAILABLE);
    answers.count("/readyz", StatusCode::OK);
    let parts = Parts {
        agent: &busy_agent(),
        flows: &flows,
        answers: &answers,
        failures: WatchFailures::default(),
        health: watch::Sender::new(Health::default()).subscribe(),
        loopback: busy_relay(),
    };
    let read = || Readings {
        cpu: Some(Duration::from_millis(1500)),
        resident_bytes: Some(40 << 20),
        virtual_bytes: Some(80 << 20),
        open_files: Some(20),
        most_open_files: Some(1024),
        conntrack_entries: Some(300),
        conntrack_limit: Some(262_144),
    };
    Page::reading(parts, Timestamp::UNIX_EPOCH, read).text()
}

#[test]
fn the_whole_page_is_what_the_snapshot_says() {
    let page = busy_page().replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!("page", format::sorted(&page));
}

#[test]
fn the_page_of_an_agent_that_has_done_nothing_has_every_series_but_times() {
    let (new, busy) = (page(&LoopMetrics::default()).text(), busy_page());
    let new = format::series(&new);
    let mut missing = format::series(&busy);
    missing.retain(|series| !new.contains(series) && !series.starts_with("process_"));
    missing.sort();
    let queued = "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds";
    let last = "kubeproxy_sync_proxy_rules_last_timestamp_seconds";
    let times = [queued, last]
        .map(|name| ["IPv4", "IPv6"].map(|family| format!("{name}{{ip_family=\"{family}\"}}")));
    let unread = [
        "portolan_affinity_clients_limit{ip_family=\"IPv4\",map=\"affinity\"}",
        "portolan_affinity_clients{ip_family=\"IPv4\",map=\"affinity\"}",
        "portolan_conntrack_entries",
        "portolan_conntrack_entries_limit",
    ];
    let expected: Vec<&str> = times.iter().flatten().map(String::as_str).chain(unread).collect();
    assert_eq!(missing, expected);
}

#[test]
fn syncs_are_counted_by_what_made_them_necessary() {
    let page = page(&busy_agent()).text();
    let syncs = |kind, result| {
        sample(&page, &format!("portolan_syncs_total{{kind=\"{kind}\",result=\"{result}\"}}"))
    };
    for (kind, success, error) in [
        ("changes", 1.0, 2.0),
        ("environment", 1.0, 0.0),
        ("start", 1.0, 0.0),
        ("failure", 1.0, 0.0),
        ("disturbance", 2.0, 0.0),
    ] {
        assert_eq!((syncs(kind, "success"), syncs(kind, "error")), (Some(success), Some(error)));
    }
    let count = |name: &str| sample(&page, &format!("{name}_count{{ip_family=\"IPv4\"}}"));
    assert_eq!(count("kubeproxy_sync_proxy_rules_duration_seconds"), Some(8.0));
    assert_eq!(count("kubeproxy_sync_full_proxy_rules_duration_seconds"), Some(4.0));
    assert_eq!(count("kubeproxy_sync_partial_proxy_rules_duration_seconds"), Some(4.0));
    assert_eq!(sample(&page, "portolan_event_to_kernel_duration_seconds_count"), Some(2.0));
    assert_eq!(sample(&page, "portolan_disturbances_put_back_total"), Some(1.0), "one found some");
    assert_eq!(sample(&page, "portolan_sync_failures_in_row"), Some(1.0));
}

#[test]
fn a_change_that_waits_is_seen_to_wait() {
    let since = Instant::now().checked_sub(Duration::from_secs(50)).unwrap();
    let health = Health { waiting_since: Some(since), ..Health::default() };
    let (flows, answers) = (FlowMetrics::default(), HealthAnswers::default());
    let page = page_of(&LoopMetrics::default(), &flows, &answers, health).text();
    assert!(sample(&page, "portolan_oldest_change_waiting_seconds") >= Some(50.0), "{page}");
}
