//! A server that refuses, breaks off or talks nonsense.

use std::time::Duration;

use portolan_core::{ObjectKind, Update};
use portolan_watch::SourceEvent;
use tokio::time::Instant;

use crate::fake_server::service;
use crate::source::Source;

#[tokio::test(start_paused = true)]
async fn a_service_cidr_api_that_cannot_be_used_is_told_once_and_holds_nothing_back() {
    for (code, message) in
        [(403, "servicecidrs is forbidden"), (404, "the server could not find it")]
    {
        let mut source = Source::start();
        source.server.call("servicecidrs").await.refuse(code, message);
        let (origin, problems) = source.next_problems().await;
        assert_eq!(origin, "API server, servicecidrs");
        assert!(
            problems[0].contains(message) && problems[0].contains("not dropped"),
            "{problems:?}"
        );

        let refused = Instant::now();
        source.server.call("servicecidrs").await.refuse(code, message);
        assert!(refused.elapsed() >= Duration::from_secs(60), "the server is left in peace");
        let watch = source.server.call("services").await.watch();
        watch.event("ADDED", &service("a", "10.0.0.1", "1"));
        watch.initial_events_end("1");
        assert_eq!(source.next_services().await, ["a"], "and nothing about ServiceCIDRs before");

        let watch = source.server.call("servicecidrs").await.watch();
        watch.initial_events_end("1");
        assert_eq!(source.next_problems().await, (origin, vec![]));
        assert_eq!(source.next_update().await, Update::ServiceCidrsReset(vec![]));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_is_told_and_tried_until_it_works() {
    let mut source = Source::start();
    for _ in 0..3 {
        source.server.call("services").await.refuse(403, "services is forbidden");
    }
    let (origin, problems) = source.next_problems().await;
    assert_eq!(origin, "API server, services");
    let told = "cannot watch services: services is forbidden; \
                the agent needs to list and watch services";
    assert_eq!(problems, [told]);
    let watch = source.server.call("services").await.watch();
    watch.initial_events_end("1");
    assert_eq!(source.next_problems().await, (origin, vec![]));
    assert_eq!(source.next_services().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_line_that_cannot_be_decoded_leads_to_the_whole_state() {
    let (mut source, watch) = Source::start_streaming("services").await;
    watch.event("ADDED", &service("a", "10.0.0.1", "1"));
    watch.initial_events_end("1");
    assert_eq!(source.next_services().await, ["a"]);
    watch.line("{\"type\": \"MODIFIED\", \"object\": {\"metadata\": nonsense}}");
    let call = source.server.call("services").await;
    assert!(call.is_streaming_list(), "{}", call.query);
    let watch = call.watch();
    watch.event("ADDED", &service("a", "10.0.0.2", "2"));
    watch.initial_events_end("2");
    let Update::ServicesReset(services) = source.next_update().await else { panic!() };
    assert_eq!(services[0].cluster_ips[0].to_string(), "10.0.0.2");
}

#[tokio::test(start_paused = true)]
async fn a_line_that_cannot_be_decoded_never_makes_an_incomplete_state() {
    let (mut source, watch) = Source::start_streaming("services").await;
    watch.event("ADDED", &service("a", "10.0.0.1", "1"));
    watch.line("nonsense");
    watch.initial_events_end("1");
    let watch = source.server.call("services").await.watch();
    watch.event("ADDED", &service("a", "10.0.0.1", "1"));
    watch.event("ADDED", &service("b", "10.0.0.2", "1"));
    watch.initial_events_end("1");
    assert_eq!(source.next_services().await, ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_recovers_in_silence_takes_back_what_it_said() {
    let (mut source, watch) = Source::start_streaming("services").await;
    watch.initial_events_end("1");
    assert_eq!(source.next_services().await, [""; 0]);
    drop(watch);
    for _ in 0..2 {
        source.server.call("services").await.refuse(503, "restarting");
    }
    let (origin, problems) = source.next_problems().await;
    assert_eq!(problems, ["cannot watch services: restarting (503)"]);
    let mended = source.next_while_silent("services").await;
    let expected = SourceEvent::Problems { origin, problems: vec![] };
    assert_eq!(mended, expected);
    assert_eq!(source.failures.of(ObjectKind::Service), 2, "a watch that just ends is no failure");
    assert_eq!(source.failures.of(ObjectKind::EndpointSlice), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_again_and_again_is_asked_ever_more_rarely() {
    let mut source = Source::start();
    source.server.call("services").await.refuse(400, "no streaming lists");
    let mut pauses = Vec::new();
    for _ in 0..10 {
        let before = Instant::now();
        source.server.call("services").await.refuse(500, "broken");
        pauses.push(before.elapsed());
    }
    assert!(pauses[2] < Duration::from_secs(10), "{pauses:?}");
    assert!(pauses[9] >= Duration::from_secs(20), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_never_answered_is_asked_for_again() {
    let mut source = Source::start();
    source.server.call("services").await.refuse(400, "no streaming lists");
    let unanswered = source.server.call("services").await;
    assert!(!unanswered.is_watch());
    let call = source.server.call("services").await;
    call.list("1", &[service("a", "10.0.0.1", "1")]);
    assert_eq!(source.next_services().await, ["a"]);
    drop(unanswered);
}

#[tokio::test(start_paused = true)]
async fn an_object_of_another_kind_is_ignored_with_a_notice() {
    let (mut source, watch) = Source::start_streaming("services").await;
    watch.event("ADDED", &service("a", "10.0.0.1", "1"));
    watch.initial_events_end("1");
    assert_eq!(source.next_services().await, ["a"]);
    let mut pod = service("a", "10.0.0.9", "2");
    pod["kind"] = "Pod".into();
    for event in ["MODIFIED", "DELETED"] {
        watch.event(event, &pod);
    }
    let (_, problems) = source.next_problems().await;
    assert_eq!(problems, ["the server sent a Pod where a Service belongs: ignored"]);
    watch.event("ADDED", &service("b", "10.0.0.2", "3"));
    loop {
        match source.next().await {
            SourceEvent::Problems { .. } => {}
            SourceEvent::Update(Update::ServiceApplied(service)) => {
                assert_eq!(&*service.name.name, "b", "and nothing happened to a");
                return;
            }
            other => panic!("{other:?}"),
        }
    }
}
