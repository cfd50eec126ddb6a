//! How the initial state is asked for, and what becomes of it.

use portolan_core::Update;

use crate::fake_server::{service, slice};
use crate::source::Source;

#[tokio::test(start_paused = true)]
async fn each_kind_is_selected_by_the_server() {
    let mut source = Source::start();
    for (resource, selectors) in [
        (
            "services",
            "labelSelector=%21service.kubernetes.io%2Fservice-proxy-name\
             &fieldSelector=spec.clusterIP%21%3DNone",
        ),
        ("endpointslices", "labelSelector=%21service.kubernetes.io%2Fheadless"),
        ("nodes", "fieldSelector=metadata.name%3Dnode-1"),
        ("servicecidrs", ""),
    ] {
        let query = source.server.call(resource).await.query;
        let mut found: Vec<&str> =
            query.split('&').filter(|pair| pair.contains("Selector=")).collect();
        let mut expected: Vec<&str> =
            selectors.split('&').filter(|pair| !pair.is_empty()).collect();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{resource}");
        for pair in [
            "watch=true",
            "sendInitialEvents=true",
            "resourceVersionMatch=NotOlderThan",
            "resourceVersion=0",
            "allowWatchBookmarks=true",
            "timeoutSeconds=60",
        ] {
            assert!(query.split('&').any(|found| found == pair), "{resource}: {pair} in {query}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_streaming_list_becomes_one_reset() {
    let (mut source, watch) = Source::start_streaming("services").await;
    watch.event("ADDED", &service("a", "10.0.0.1", "1"));
    watch.event("ADDED", &service("b", "10.0.0.2", "2"));
    watch.bookmark("2", serde_json::json!({}));
    watch.event("MODIFIED", &service("a", "10.0.0.3", "3"));
    watch.initial_events_end("3");
    let Update::ServicesReset(services) = source.next_update().await else { panic!() };
    let services: Vec<String> =
        services.iter().map(|s| format!("{} {:?}", s.name.name, s.cluster_ips)).collect();
    assert_eq!(services, ["a [10.0.0.3]", "b [10.0.0.2]"]);
    watch.event("ADDED", &service("c", "10.0.0.4", "4"));
    assert!(matches!(source.next_update().await, Update::ServiceApplied(_)));
}

#[tokio::test(start_paused = true)]
async fn an_empty_cluster_is_complete() {
    let mut source = Source::start();
    for resource in ["services", "endpointslices"] {
        let watch = source.server.call(resource).await.watch();
        watch.initial_events_end("1");
        let expected = match resource {
            "services" => Update::ServicesReset(vec![]),
            _ => Update::EndpointSlicesReset(vec![]),
        };
        assert_eq!(source.next_update().await, expected);
        std::mem::forget(watch);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_streaming_lists_is_asked_for_lists_from_then_on() {
    let mut source = Source::start();
    let call = source.server.call("services").await;
    assert!(call.is_streaming_list());
    call.refuse(422, "sendInitialEvents: Forbidden: the WatchList feature gate is disabled");
    let call = source.server.call("services").await;
    assert!(!call.is_watch() && call.query.contains("resourceVersion=0"), "{}", call.query);
    call.list("7", &[service("a", "10.0.0.1", "5")]);
    assert_eq!(source.next_services().await, ["a"]);
    let call = source.server.call("services").await;
    assert!(call.is_watch() && !call.is_streaming_list());
    assert!(call.query.contains("resourceVersion=7"), "{}", call.query);
    let watch = call.watch();
    watch.event("DELETED", &service("a", "10.0.0.1", "8"));
    assert!(matches!(source.next_update().await, Update::ServiceDeleted(_)));

    watch.expired();
    let call = source.server.call("services").await;
    assert!(!call.is_watch(), "{}", call.query);
    call.list("9", &[service("b", "10.0.0.2", "9")]);
    assert_eq!(source.next_services().await, ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ignores_the_request_for_a_streaming_list_is_asked_for_a_list() {
    let (mut source, watch) = Source::start_streaming("services").await;
    watch.event("ADDED", &service("a", "10.0.0.1", "1"));
    // No bookmark follows, only silence.
    let call = source.server.call("services").await;
    assert!(!call.is_watch(), "{}", call.query);
    call.list("1", &[service("a", "10.0.0.1", "1")]);
    assert_eq!(source.next_services().await, ["a"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_streaming_lists_early_is_asked_for_a_list() {
    let mut source = Source::start();
    for _ in 0..3 {
        let call = source.server.call("services").await;
        assert!(call.is_streaming_list());
        call.watch().event("ADDED", &service("a", "10.0.0.1", "1"));
    }
    let call = source.server.call("services").await;
    assert!(!call.is_watch(), "{}", call.query);
    call.list("1", &[service("b", "10.0.0.2", "1")]);
    assert_eq!(source.next_services().await, ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_resource_version_that_expires_leads_to_one_more_reset() {
    let (mut source, watch) = Source::start_streaming("services").await;
    watch.event("ADDED", &service("a", "10.0.0.1", "1"));
    watch.initial_events_end("1");
    assert_eq!(source.next_services().await, ["a"]);
    watch.expired();
    let call = source.server.call("services").await;
    assert!(call.is_streaming_list());
    let watch = call.watch();
    watch.event("ADDED", &service("b", "10.0.0.2", "9"));
    watch.initial_events_end("9");
    assert_eq!(source.next_services().await, ["b"], "and nothing before it");
    watch.event("DELETED", &service("b", "10.0.0.2", "10"));
    assert!(matches!(source.next_update().await, Update::ServiceDeleted(_)));
}

#[tokio::test(start_paused = true)]
async fn a_resource_version_that_is_refused_leads_to_one_more_reset() {
    let (mut source, watch) = Source::start_streaming("services").await;
    watch.initial_events_end("1");
    assert_eq!(source.next_services().await, [""; 0]);
    drop(watch);
    let call = source.server.call("services").await;
    assert!(call.is_watch() && !call.is_streaming_list());
    call.refuse(410, "too old resource version");
    let call = source.server.call("services").await;
    assert!(call.is_streaming_list(), "{}", call.query);
    let watch = call.watch();
    watch.event("ADDED", &service("b", "10.0.0.2", "9"));
    watch.initial_events_end("9");
    assert_eq!(source.next_services().await, ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_resumes_where_it_was() {
    let (mut source, watch) = Source::start_streaming("endpointslices").await;
    watch.initial_events_end("1");
    assert_eq!(source.next_update().await, Update::EndpointSlicesReset(vec![]));
    watch.event("ADDED", &slice("a-1", "a", "2"));
    assert!(matches!(source.next_update().await, Update::EndpointSliceApplied(_)));
    watch.bookmark("20", serde_json::json!({}));
    drop(watch);
    let call = source.server.call("endpointslices").await;
    assert!(call.is_watch() && !call.is_streaming_list());
    assert!(call.query.ends_with("resourceVersion=20"), "{}", call.query);
    let watch = call.watch();
    watch.event("DELETED", &slice("a-1", "a", "21"));
    assert!(matches!(source.next_update().await, Update::EndpointSliceDeleted(_)));
}
