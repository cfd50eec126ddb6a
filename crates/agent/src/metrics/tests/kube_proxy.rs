//! Dashboards and alerts for kube-proxy go on.

use super::*;

/// The metrics of kube-proxy 1.36 in nftables mode: name, type and labels
/// (<https://kubernetes.io/docs/reference/instrumentation/metrics/>).
const METRICS: [(&str, &str, &[&str]); 18] = [
    ("kubeproxy_conntrack_reconciler_deleted_entries_total", "counter", &["ip_family"]),
    ("kubeproxy_conntrack_reconciler_sync_duration_seconds", "histogram", &["ip_family"]),
    ("kubeproxy_network_programming_duration_seconds", "histogram", &["ip_family"]),
    ("kubeproxy_proxy_healthz_total", "counter", &["code"]),
    ("kubeproxy_proxy_livez_total", "counter", &["code"]),
    ("kubeproxy_sync_full_proxy_rules_duration_seconds", "histogram", &["ip_family"]),
    ("kubeproxy_sync_partial_proxy_rules_duration_seconds", "histogram", &["ip_family"]),
    ("kubeproxy_sync_proxy_rules_duration_seconds", "histogram", &["ip_family"]),
    ("kubeproxy_sync_proxy_rules_endpoint_changes_pending", "gauge", &[]),
    ("kubeproxy_sync_proxy_rules_endpoint_changes_total", "counter", &[]),
    ("kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds", "gauge", &["ip_family"]),
    ("kubeproxy_sync_proxy_rules_last_timestamp_seconds", "gauge", &["ip_family"]),
    ("kubeproxy_sync_proxy_rules_nftables_cleanup_failures_total", "counter", &["ip_family"]),
    ("kubeproxy_sync_proxy_rules_nftables_sync_failures_total", "counter", &["ip_family"]),
    (
        "kubeproxy_sync_proxy_rules_no_local_endpoints_total",
        "gauge",
        &["ip_family", "traffic_policy"],
    ),
    ("kubeproxy_sync_proxy_rules_service_changes_pending", "gauge", &[]),
    ("kubeproxy_sync_proxy_rules_service_changes_total", "counter", &[]),
    ("process_start_time_seconds", "gauge", &[]),
];

#[test]
fn every_metric_of_kube_proxy_is_there_with_its_type_and_its_labels_and_no_other() {
    let page = busy_page();
    let metrics = format::parse(&page);
    for (name, kind, labels) in METRICS {
        let metric = metrics.get(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert_eq!(metric.kind, kind, "{name}");
        assert_eq!(metric.labels(), labels.iter().copied().collect(), "{name}");
    }
    let ours = metrics.keys().filter(|name| name.starts_with("kubeproxy_"));
    let unknown: Vec<_> = ours.filter(|name| METRICS.iter().all(|it| it.0 != **name)).collect();
    assert_eq!(unknown, [&""; 0], "these would pretend to be kube-proxy's");
}

#[test]
fn buckets_are_those_of_kube_proxy() {
    let page = busy_page();
    let bounds = |name: &str| -> Vec<String> {
        let start = format!("{name}_bucket{{ip_family=\"IPv4\",le=\"");
        let series = format::series(&page).into_iter();
        series
            .filter_map(|series| {
                Some(series.strip_prefix(&start)?.trim_end_matches("\"}").to_owned())
            })
            .collect()
    };
    let sync = [
        "0.001", "0.002", "0.004", "0.008", "0.016", "0.032", "0.064", "0.128", "0.256", "0.512",
        "1.024", "2.048", "4.096", "8.192", "16.384", "+Inf",
    ];
    for name in [
        "kubeproxy_sync_proxy_rules_duration_seconds",
        "kubeproxy_sync_full_proxy_rules_duration_seconds",
        "kubeproxy_sync_partial_proxy_rules_duration_seconds",
        "kubeproxy_conntrack_reconciler_sync_duration_seconds",
    ] {
        assert_eq!(bounds(name), sync, "{name}");
    }
    let programming = bounds("kubeproxy_network_programming_duration_seconds");
    assert_eq!(programming.len(), 81);
    assert_eq!(programming[..4], ["0.25", "0.5", "1", "2"]);
    assert_eq!(programming[59..64], ["58", "59", "60", "65", "70"].map(str::to_owned));
    assert_eq!(programming[72..], ["115", "120", "150", "180", "210", "240", "270", "300", "+Inf"]);
}
