//! What the first sync waits for.

use super::*;
use crate::config::Patience;

fn patient() -> Config {
    let seconds = Duration::from_secs;
    Config { patience: Patience { node: seconds(30), service_cidrs: seconds(2) }, ..config() }
}

#[tokio::test(start_paused = true)]
async fn the_first_sync_waits_for_the_node_and_the_service_cidrs() {
    let mut agent = Harness::start(patient());
    agent.list().await;
    agent.send(SourceEvent::Update(Update::ServiceCidrsReset(Vec::new()))).await;
    advance(Duration::from_secs(29)).await;
    settle().await;
    assert!(agent.kernel.asked.is_empty());
    agent.send(node(&["192.0.2.1"], &[])).await;
    assert_eq!(environment(agent.asked().await).node_ports_v4, listed(&["192.0.2.1"]));

    let mut without_cidrs = Harness::start(patient());
    without_cidrs.send(node(&["192.0.2.1"], &[])).await;
    without_cidrs.list().await;
    assert!(without_cidrs.kernel.asked.is_empty());
    advance(Duration::from_secs(2)).await;
    assert_eq!(environment(without_cidrs.asked().await).node_ports_v4, listed(&["192.0.2.1"]));
}

#[tokio::test(start_paused = true)]
async fn the_first_sync_goes_on_without_a_node_that_is_absent_or_never_comes() {
    let mut absent = Harness::start(patient());
    absent.list().await;
    absent.send(SourceEvent::Update(Update::NodeDeleted)).await;
    absent.send(SourceEvent::Update(Update::ServiceCidrsReset(Vec::new()))).await;
    assert_eq!(environment(absent.asked().await).node_ports_v4, listed(&[]));

    let mut unread = Harness::start(patient());
    unread.list().await;
    advance(Duration::from_secs(30)).await;
    assert_eq!(environment(unread.asked().await).node_ports_v4, listed(&[]));
}
