//! What the backend is told of this node.

use std::io;

use portolan_core::Update;
use portolan_core::backend::{LocalPods, NodePortAddresses};

use super::*;
use crate::config::{LocalPodDetection, NodePortSelection};

#[tokio::test(start_paused = true)]
async fn a_new_address_of_the_node_is_converged() {
    let mut agent = Harness::start(config());
    agent.list().await;
    let first = environment(agent.asked().await);
    assert_eq!(first.node_ports_v4, NodePortAddresses::Listed(Vec::new()));
    agent.answer(Answer::Succeed);
    agent.send(node(&["192.0.2.1", "2001:db8::1"], &[])).await;
    let second = environment(agent.asked().await);
    assert_eq!(second.node_ports_v4, listed(&["192.0.2.1"]));
    assert_eq!(second.node_ports_v6, listed(&["2001:db8::1"]));
    agent.answer(Answer::Succeed);
    agent.send(SourceEvent::Update(Update::NodeDeleted)).await;
    agent.send(node(&["192.0.2.1", "2001:db8::1"], &["10.244.1.0/24"])).await;
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]), "nothing else has changed");
}

#[tokio::test(start_paused = true)]
async fn service_cidrs_are_converged() {
    let mut agent = Harness::synced(config()).await;
    let cidr = "10.96.0.0/12".parse().unwrap();
    agent.send(SourceEvent::Update(Update::ServiceCidrsReset(vec![cidr]))).await;
    assert_eq!(environment(agent.asked().await).service_cidrs, [cidr]);
}

#[tokio::test(start_paused = true)]
async fn services_work_before_the_pod_networks_of_the_node_are_known() {
    let node_cidr = Config { local_pods: LocalPodDetection::NodeCidr, ..config() };
    let mut agent = Harness::start(node_cidr);
    agent.send(node(&["192.0.2.1"], &[])).await;
    agent.list().await;
    assert_eq!(environment(agent.asked().await).local_pods_v4, LocalPods::Unknown);
    agent.answer(Answer::Succeed);
    agent.send(node(&["192.0.2.1"], &["10.244.1.0/24"])).await;
    let pods = LocalPods::Source("10.244.1.0/24".parse().unwrap());
    assert_eq!(environment(agent.asked().await).local_pods_v4, pods);
}

#[tokio::test(start_paused = true)]
async fn interface_addresses_are_followed_and_kept_while_they_cannot_be_read() {
    let networks = vec!["192.0.2.0/24".parse().unwrap()];
    let config = Config { node_ports: NodePortSelection::Networks(networks), ..config() };
    let mut agent = Harness::start(config);
    *agent.interfaces.lock().unwrap() = Ok(vec!["192.0.2.1".parse().unwrap()]);
    agent.list().await;
    assert_eq!(environment(agent.asked().await).node_ports_v4, listed(&["192.0.2.1"]));
    agent.answer(Answer::Succeed);

    *agent.interfaces.lock().unwrap() = Err(io::ErrorKind::OutOfMemory.into());
    advance(RECHECK_ENVIRONMENT).await;
    agent.send(slice_applied("web", &[1, 2])).await;
    assert_eq!(agent.asked().await, changed(&[("web", 2)]));
    agent.answer(Answer::Succeed);

    *agent.interfaces.lock().unwrap() = Ok(vec!["192.0.2.2".parse().unwrap()]);
    advance(RECHECK_ENVIRONMENT).await;
    assert_eq!(environment(agent.asked().await).node_ports_v4, listed(&["192.0.2.2"]));
}
