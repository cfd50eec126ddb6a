//! What single objects lead to.

use portolan_core::{ObjectName, Update};
use serde_json::{Value, json};

use crate::fake_server::{Watch, service, slice};
use crate::source::Source;

/// A source whose state of a resource is complete and empty.
async fn empty(resource: &str) -> (Source, Watch) {
    let (mut source, watch) = Source::start_streaming(resource).await;
    watch.initial_events_end("1");
    source.next().await;
    (source, watch)
}

fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    *object.pointer_mut(pointer).unwrap() = value;
    object
}

fn node(zone: &str, resource_version: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": "node-1", "resourceVersion": resource_version,
            "labels": {"topology.kubernetes.io/zone": zone},
        },
    })
}

fn service_cidr(name: &str, cidr: &str, resource_version: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR",
        "metadata": {"name": name, "resourceVersion": resource_version},
        "spec": {"cidrs": [cidr]},
    })
}

#[tokio::test(start_paused = true)]
async fn a_field_of_the_wrong_type_costs_itself_and_is_told_until_it_is_mended() {
    let (mut source, watch) = empty("services").await;
    let bad =
        with(service("a", "10.0.0.1", "2"), "/spec/ports", json!([{"port": "80"}, {"port": 443}]));
    watch.event("ADDED", &bad);
    let Update::ServiceApplied(applied) = source.next_update().await else { panic!() };
    assert_eq!(applied.ports.iter().map(|port| port.port).collect::<Vec<_>>(), [443]);
    let (origin, problems) = source.next_problems().await;
    assert_eq!(origin, "Service default/a");
    assert!(
        problems[0].starts_with("Service default/a: spec.ports[0].port: a text"),
        "{problems:?}"
    );

    watch.event("MODIFIED", &service("a", "10.0.0.1", "3"));
    assert!(matches!(source.next_update().await, Update::ServiceApplied(_)));
    assert_eq!(source.next_problems().await, (origin.clone(), vec![]));

    watch.event("MODIFIED", &with(bad.clone(), "/metadata/resourceVersion", json!("4")));
    assert!(matches!(source.next_update().await, Update::ServiceApplied(_)));
    source.next_problems().await;
    watch.event("DELETED", &with(bad, "/metadata/resourceVersion", json!("5")));
    assert!(matches!(source.next_update().await, Update::ServiceDeleted(_)));
    assert_eq!(source.next_problems().await, (origin, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_reset_takes_back_the_problems_of_objects_that_are_gone() {
    let (mut source, watch) = Source::start_streaming("endpointslices").await;
    let bad = with(slice("a-1", "a", "1"), "/ports/0/port", json!("http"));
    watch.event("ADDED", &bad);
    watch.initial_events_end("1");
    assert!(
        matches!(source.next_update().await, Update::EndpointSlicesReset(all) if all.len() == 1)
    );
    let (origin, problems) = source.next_problems().await;
    assert_eq!((origin.as_str(), problems.len()), ("EndpointSlice default/a-1", 1));
    watch.expired();
    let watch = source.server.call("endpointslices").await.watch();
    watch.initial_events_end("9");
    assert_eq!(source.next_update().await, Update::EndpointSlicesReset(vec![]));
    assert_eq!(source.next_problems().await, (origin, vec![]));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_becomes_invisible_is_deleted() {
    let (mut source, watch) = empty("services").await;
    let deleted = Update::ServiceDeleted(ObjectName::new("default", "a"));
    let labels = json!({"service.kubernetes.io/service-proxy-name": "other"});
    let mut hidden = service("a", "10.0.0.1", "2");
    hidden["metadata"]["labels"] = labels;
    for invisible in [hidden, service("a", "None", "3")] {
        watch.event("MODIFIED", &invisible);
        assert_eq!(source.next_update().await, deleted);
    }
}

#[tokio::test(start_paused = true)]
async fn this_node_is_followed_and_missed() {
    let (mut source, watch) = Source::start_streaming("nodes").await;
    watch.initial_events_end("1");
    let (origin, problems) = source.next_problems().await;
    assert_eq!(origin, "Node node-1");
    assert!(problems[0].starts_with("there is no Node node-1"), "{problems:?}");

    watch.event("ADDED", &node("zone-a", "2"));
    let Update::NodeApplied(applied) = source.next_update().await else { panic!() };
    assert_eq!(applied.zone.as_deref(), Some("zone-a"));
    assert_eq!(source.next_problems().await, (origin.clone(), vec![]));

    watch.event("MODIFIED", &with(node("zone-a", "3"), "/metadata/name", json!("node-2")));
    watch.event("DELETED", &node("zone-a", "4"));
    assert_eq!(source.next_update().await, Update::NodeDeleted);
    assert_eq!(source.next_problems().await, (origin, problems));
}

#[tokio::test(start_paused = true)]
async fn a_network_of_two_service_cidrs_stays_when_one_goes() {
    let reset = |networks: &[&str]| {
        Update::ServiceCidrsReset(networks.iter().map(|text| text.parse().unwrap()).collect())
    };
    let (mut source, watch) = Source::start_streaming("servicecidrs").await;
    watch.event("ADDED", &service_cidr("b", "10.96.0.0/16", "1"));
    watch.initial_events_end("1");
    assert_eq!(source.next_update().await, reset(&["10.96.0.0/16"]));
    watch.event("ADDED", &service_cidr("a", "10.96.0.0/16", "2"));
    watch.event("ADDED", &service_cidr("c", "10.90.0.0/16", "3"));
    assert_eq!(source.next_update().await, reset(&["10.90.0.0/16", "10.96.0.0/16"]));
    watch.event("DELETED", &service_cidr("b", "10.96.0.0/16", "4"));
    watch.event("DELETED", &service_cidr("c", "10.90.0.0/16", "5"));
    assert_eq!(source.next_update().await, reset(&["10.96.0.0/16"]));
    watch.event("DELETED", &service_cidr("a", "10.96.0.0/16", "6"));
    assert_eq!(source.next_update().await, reset(&[]));
}

#[tokio::test(start_paused = true)]
async fn the_source_ends_when_nobody_listens() {
    let (source, watch) = empty("services").await;
    source.stop().await;
    drop(watch);
}
