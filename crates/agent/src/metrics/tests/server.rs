//! The server over loopback.

use tokio::net::TcpListener;

use super::super::server::accept;
use super::*;
use crate::testing::get;

#[tokio::test]
async fn each_path_has_kube_proxys_answer_and_others_have_none() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let metrics = LoopMetrics::default();
    let (mode, mode_receiver) = tokio::sync::watch::channel("nftables");
    let server = tokio::spawn(accept(listener, page(&metrics), mode_receiver));
    let text = "content-type: text/plain; charset=utf-8\r\n";
    for (path, status, content_type, body) in [
        ("/healthz", "200", text, "\r\n\r\nok"),
        ("/proxyMode", "200", text, "\r\n\r\nnftables"),
        ("/configz", "404", text, "\r\n\r\nnot found\n"),
        ("/", "404", text, "\r\n\r\nnot found\n"),
        ("/metrics", "200", "content-type: text/plain; version=0.0.4; charset=utf-8\r\n", "\n"),
    ] {
        let answer = get(address, path).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
        assert!(answer.contains(content_type), "{path}: {answer}");
        assert!(answer.contains("x-content-type-options: nosniff\r\n"), "{path}: {answer}");
        assert!(answer.ends_with(body), "{path}: {answer}");
    }
    metrics.changes.services.inc();
    let answer = get(address, "/metrics?name[]=any").await;
    let changes = "kubeproxy_sync_proxy_rules_service_changes_total";
    assert_eq!(sample(&answer, changes), Some(1.0), "{answer}");
    mode.send_replace("ipvs");
    let answer = get(address, "/proxyMode").await;
    assert!(answer.ends_with("ipvs"), "the backend was changed: {answer}");
    server.abort();
}

#[tokio::test(start_paused = true)]
async fn a_port_that_is_taken_is_tried_again_until_it_is_free() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (_mode, mode_receiver) = tokio::sync::watch::channel("nftables");
    let server = tokio::spawn(serve(address, page(&LoopMetrics::default()), mode_receiver));
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert!(!server.is_finished());
    drop(taken);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(get(address, "/healthz").await.ends_with("ok"));
    server.abort();
}
