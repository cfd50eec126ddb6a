//! Changes of files that are all in order.

use std::fs;

use portolan_core::{ObjectName, Update};
use portolan_watch::SourceEvent;

use crate::follower::{Follower, service, slice};

#[tokio::test]
async fn a_file_written_in_place_changes_only_the_object_that_differs() {
    let before = service("a", "10.0.0.1") + &service("b", "10.0.0.2") + &slice("a-1", "a");
    let mut follower = Follower::start(&[("all.yaml", &before)]).await;
    let after = service("a", "10.0.0.1") + &service("b", "10.0.0.3") + &slice("a-1", "a");
    follower.write("all.yaml", &after);
    let event = follower.next().await;
    assert!(
        matches!(&event, SourceEvent::Update(Update::ServiceApplied(service))
            if service.name == ObjectName::new("default", "b")),
        "{event:?}"
    );
    assert_eq!(follower.known.address("b"), Some("10.0.0.3"));
}

#[tokio::test]
async fn a_file_renamed_over_another_takes_its_place() {
    let mut follower = Follower::start(&[("a.yaml", &service("a", "10.0.0.1"))]).await;
    follower.write(".a.yaml.tmp", &service("a", "10.0.0.2"));
    fs::rename(follower.path(".a.yaml.tmp"), follower.path("a.yaml")).unwrap();
    follower.until(|known| known.address("a") == Some("10.0.0.2")).await;
}

#[tokio::test]
async fn an_editor_that_renames_the_old_file_away_loses_nothing() {
    let mut follower = Follower::start(&[
        ("a.yaml", &service("a", "10.0.0.1")),
        ("b.yaml", &service("b", "10.0.1.1")),
    ])
    .await;
    fs::rename(follower.path("a.yaml"), follower.path("a.yaml~")).unwrap();
    follower.write("a.yaml", &service("a", "10.0.0.2"));
    follower.delete("a.yaml~");
    follower.until(|known| known.address("a") == Some("10.0.0.2")).await;
    assert_eq!(follower.known.address("b"), Some("10.0.1.1"));
}

#[tokio::test]
async fn files_that_come_and_go_bring_and_take_their_objects() {
    let mut follower = Follower::start(&[]).await;
    follower.write("a.yaml", &(service("a", "10.0.0.1") + &slice("a-1", "a")));
    follower.until(|known| known.services.len() == 1 && known.slices.len() == 1).await;
    follower.write(
        "b.json",
        r#"{"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "b"}, "spec": {"clusterIP": "10.0.0.2"}}"#,
    );
    follower.until(|known| known.address("b") == Some("10.0.0.2")).await;
    follower.delete("a.yaml");
    follower.until(|known| known.services.len() == 1 && known.slices.is_empty()).await;
    fs::rename(follower.path("b.json"), follower.base().join("b.json")).unwrap();
    follower.until(|known| known.services.is_empty()).await;
}

#[tokio::test]
async fn a_file_that_says_the_same_again_sends_nothing() {
    let text = service("a", "10.0.0.1");
    let mut follower = Follower::start(&[("a.yaml", &text)]).await;
    follower.write("a.yaml", &format!("# a comment\n{text}"));
    assert_nothing_is_underway(&mut follower).await;
}

/// The next change is the first that there is to tell.
async fn assert_nothing_is_underway(follower: &mut Follower) {
    follower.write("b.yaml", &service("b", "10.0.0.2"));
    let event = follower.next().await;
    assert!(
        matches!(&event, SourceEvent::Update(Update::ServiceApplied(service))
            if *service.name.name == *"b"),
        "{event:?}"
    );
}

#[tokio::test]
async fn an_object_that_moves_to_another_file_is_not_touched() {
    let mut follower = Follower::start(&[("a.yaml", &service("a", "10.0.0.1"))]).await;
    fs::rename(follower.path("a.yaml"), follower.path("z.yaml")).unwrap();
    assert_nothing_is_underway(&mut follower).await;
}

#[tokio::test]
async fn an_object_that_becomes_invisible_is_deleted() {
    let mut follower = Follower::start(&[("a.yaml", &service("a", "10.0.0.1"))]).await;
    follower.write("a.yaml", &service("a", "None"));
    assert_eq!(
        follower.next().await,
        SourceEvent::Update(Update::ServiceDeleted(ObjectName::new("default", "a")))
    );
    follower.write("a.yaml", &service("a", "10.0.0.1"));
    follower.until(|known| known.address("a") == Some("10.0.0.1")).await;
    let labelled = service("a", "10.0.0.1").replace(
        "  name: a\n",
        "  name: a\n  labels: {service.kubernetes.io/service-proxy-name: x}\n",
    );
    follower.write("a.yaml", &labelled);
    follower.until(|known| known.services.is_empty()).await;
}

#[tokio::test]
async fn node_and_service_cidrs_are_followed() {
    let mut follower = Follower::start(&[]).await;
    let node = "{apiVersion: v1, kind: Node, metadata: {name: node-1, labels: \
                {topology.kubernetes.io/zone: zone-a}}}";
    follower.write("node.yaml", node);
    follower.until(|known| known.node.is_some()).await;
    follower.write("node.yaml", &node.replace("zone-a", "zone-b"));
    let zone_b = |known: &crate::follower::Known| {
        known.node.as_ref().and_then(|node| node.zone.as_deref()) == Some("zone-b")
    };
    follower.until(zone_b).await;
    follower.delete("node.yaml");
    follower.until(|known| known.node.is_none()).await;

    let cidr = |name: &str, cidr: &str| {
        format!(
            "{{apiVersion: networking.k8s.io/v1, kind: ServiceCIDR, metadata: {{name: {name}}}, \
             spec: {{cidrs: [{cidr}]}}}}"
        )
    };
    follower.write("a.yaml", &cidr("a", "10.96.0.0/16"));
    follower.until(|known| known.service_cidrs == ["10.96.0.0/16"]).await;
    follower.write("b.yaml", &cidr("b", "10.96.0.0/16, 10.90.0.0/16"));
    follower.until(|known| known.service_cidrs == ["10.90.0.0/16", "10.96.0.0/16"]).await;
    follower.delete("a.yaml");
    follower.delete("b.yaml");
    follower.until(|known| known.service_cidrs.is_empty()).await;
}

#[tokio::test]
async fn the_source_ends_when_nobody_listens() {
    let follower = Follower::start(&[]).await;
    follower.stop().await.unwrap();
}
