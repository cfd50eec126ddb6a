//! Prometheus asks a running agent, in a network namespace of its own.

use portolan_lab::namespaced;

use super::*;

const PENDING: &str = "kubeproxy_sync_proxy_rules_endpoint_changes_pending";
const SYNCS: &str = "portolan_syncs_total{kind=\"changes\",result=\"success\"}";

#[test]
fn every_path_answers_while_the_backend_works_and_the_page_says_what_waits() {
    let name = "run::tests::metrics::\
                every_path_answers_while_the_backend_works_and_the_page_says_what_waits";
    namespaced(name, || with_paused_clock(ask_a_busy_agent()));
}

async fn ask_a_busy_agent() {
    let address = "127.0.0.1:10249".parse().unwrap();
    let mut agent = Harness::synced(Config { metrics: Some(address), ..config() }).await;
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]));
    let page = get(address, "/metrics").await;
    assert_eq!((sample(&page, PENDING), sample(&page, SYNCS)), (Some(1.0), Some(0.0)), "{page}");
    assert!(get(address, "/healthz").await.ends_with("ok"));
    assert!(get(address, "/proxyMode").await.ends_with("fake"), "the name of the backend");
    agent.answer(Answer::Succeed);
    let page = until(address, |page| sample(page, SYNCS) == Some(1.0)).await;
    assert_eq!(sample(&page, PENDING), Some(0.0), "{page}");
    agent.stop().await.unwrap();
    tokio::task::yield_now().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "the end is the end");
}

/// The first page of which this is so. The backend's thread runs in real time.
async fn until(address: std::net::SocketAddr, so: impl Fn(&str) -> bool) -> String {
    for _ in 0..10_000 {
        let page = get(address, "/metrics").await;
        if so(&page) {
            return page;
        }
        settle().await;
    }
    panic!("still not: {}", get(address, "/metrics").await);
}
