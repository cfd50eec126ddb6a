//! What Prometheus is told.

use std::process::Stdio;

use portolan_lab::{kernel_is_at_least, namespaced};
use portolan_nft::{NftOptions, cleanup};

use crate::scene::*;

/// The value of a sample on the metrics page, named with its labels.
fn sample(name: &str) -> Option<f64> {
    let page = ask(METRICS, "/metrics")?;
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}

#[test]
fn prometheus_is_told_what_the_kernel_was_given_and_what_others_did_to_it() {
    let name = "metrics::prometheus_is_told_what_the_kernel_was_given_and_what_others_did_to_it";
    namespaced(name, || {
        let scene = Scene::new();
        let _agent = scene.start();
        until_healthy();
        let until_at_least = |name: &str, least: f64| {
            until(&format!("{name} is {least}"), || sample(name).filter(|it| *it >= least));
        };
        let endpoints = "portolan_programmed_endpoints{ip_family=\"IPv4\"}";
        assert_eq!(sample(endpoints), Some(1.0));
        assert!(ask(METRICS, "/proxyMode").unwrap().ends_with("\r\n\r\nnftables"));
        let first_sync = scene.first_sync()["added"].as_f64();
        assert_eq!(sample("portolan_sync_operations_total{operation=\"add\"}"), first_sync);

        let triggered = jiff::Timestamp::now();
        let more = slice(&["10.244.0.1", "10.244.0.2"]);
        let annotation = "endpoints.kubernetes.io/last-change-trigger-time";
        let annotated = more.replacen(
            "metadata: {",
            &format!("metadata: {{annotations: {{{annotation}: '{triggered}'}}, "),
            1,
        );
        assert_ne!(annotated, more);
        scene.write("slice.yaml", &annotated);
        until_at_least(endpoints, 2.0);
        let programming = "kubeproxy_network_programming_duration_seconds";
        assert_eq!(sample(&format!("{programming}_count{{ip_family=\"IPv4\"}}")), Some(1.0));
        let took = sample(&format!("{programming}_sum{{ip_family=\"IPv4\"}}")).unwrap();
        assert!((0.0..PATIENCE.as_secs_f64()).contains(&took), "{took}");

        // Older ones do not tell how many elements a map holds.
        if kernel_is_at_least(6, 16) {
            until_at_least("portolan_affinity_clients{ip_family=\"IPv4\",map=\"affinity\"}", 0.0);
        }
        cleanup(&NftOptions::default().table).unwrap();
        until_at_least("portolan_disturbances_put_back_total", 1.0);
        let disturbance = "portolan_syncs_total{kind=\"disturbance\",result=\"success\"}";
        assert!(sample(disturbance) >= Some(1.0));
        assert!(sample("process_resident_memory_bytes") > Some(1e6));
        assert!(sample("kubeproxy_proxy_healthz_total{code=\"200\"}") >= Some(1.0));
    });
}

#[test]
fn an_api_server_that_cannot_be_reached_is_counted_by_what_was_asked_for() {
    let name = "metrics::an_api_server_that_cannot_be_reached_is_counted_by_what_was_asked_for";
    namespaced(name, || {
        let scene = Scene::new();
        let run =
            ["run", "--node-name", "a", "--control-socket=", "--master", "http://127.0.0.1:1"];
        let child = scene.command(&run).stderr(Stdio::null()).spawn().unwrap();
        let _agent = Agent { child };
        for resource in ["services", "endpointslices", "nodes", "servicecidrs"] {
            let failures = format!("portolan_watch_failures_total{{resource=\"{resource}\"}}");
            until(&failures, || sample(&failures).filter(|it| *it > 0.0));
        }
    });
}
