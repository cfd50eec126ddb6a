//! A server that is not there.

use std::net::TcpListener;
use std::time::Duration;

use portolan_core::ObjectKind;
use portolan_watch::{KubeConfig, SourceEvent, WatchFailures, kube_client, run_kube};
use tokio::sync::mpsc;
use tokio::time::sleep;

const KINDS: [ObjectKind; 4] =
    [ObjectKind::Service, ObjectKind::EndpointSlice, ObjectKind::Node, ObjectKind::ServiceCIDR];

#[tokio::test(start_paused = true)]
async fn a_server_that_cannot_be_reached_is_told_once_for_all_watches_with_its_address() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let client = kube_client(None, Some(&url), None).await.unwrap();
    let (sender, mut events) = mpsc::channel(64);
    let failures = WatchFailures::default();
    let config = KubeConfig { node_name: "node-1".to_owned(), failures: failures.clone() };
    let source = tokio::spawn(run_kube(client, config, sender));
    while KINDS.iter().any(|kind| failures.of(*kind) < 4) {
        sleep(Duration::from_secs(1)).await;
    }
    source.abort();
    let mut told = Vec::new();
    while let Some(event) = events.recv().await {
        told.push(event);
    }
    let [SourceEvent::Problems { origin, problems }] = &told[..] else { panic!("{told:?}") };
    assert_eq!(origin, "API server");
    let [problem] = &problems[..] else { panic!("{problems:?}") };
    let text = problem.to_string();
    assert!(text.starts_with(&format!("cannot reach the API server at {url}/: ")), "{text}");
    assert!(text.contains("refused"), "{text}");
}
