//! A server, or a proxy before it, that ends each watch at once.

use std::time::Duration;

use tokio::time::Instant;

use crate::fake_server::{Call, service};
use crate::source::Source;

const MINUTE: Duration = Duration::from_secs(60);

type Answer = fn(Call);

/// Watches that end as soon as they begin; lists are answered.
const ANSWERS: [(&str, Answer); 5] = [
    ("watches that end at once", |call| drop(call.watch())),
    ("a bookmark, then the end", |call| call.watch().initial_events_end("1")),
    ("redirections", |call| call.redirect("http://192.0.2.1/login")),
    ("an empty answer", |call| call.raw("")),
    ("a cut in the midst of an event", |call| {
        call.raw("{\"type\":\"ADDED\",\"object\":{\"kind\":\"Service\",\"metadata\":{\"name\":\"a");
    }),
];

#[tokio::test(start_paused = true)]
async fn watches_that_end_at_once_are_asked_for_ever_more_rarely() {
    for (what, answer) in ANSWERS {
        let answer = |call: Call| match call.is_watch() {
            true => answer(call),
            false => call.list("1", &[service("a", "10.0.0.1", "1")]),
        };
        let mut source = Source::start();
        let count = source.requests_within(MINUTE, "services", answer).await;
        assert!((5..20).contains(&count), "{what}: {count} requests in a minute");
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirection_is_told_as_an_error() {
    let mut source = Source::start();
    for _ in 0..2 {
        source.server.call("services").await.redirect("http://192.0.2.1/login");
    }
    let (_, problems) = source.next_problems().await;
    assert!(problems[0].contains("redirects to \"http://192.0.2.1/login\""), "{problems:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_healthy_server_is_asked_is_never_held_back() {
    let mut source = Source::start();
    source.server.call("services").await.refuse(400, "no streaming lists");
    let begin = Instant::now();
    source.server.call("services").await.list("1", &[]);
    assert_eq!(source.next_services().await, [""; 0]);
    for _ in 0..20 {
        let watch = source.server.call("services").await.watch();
        assert_eq!(begin.elapsed().as_secs() % 60, 0);
        tokio::time::sleep(MINUTE).await;
        drop(watch);
    }
}

#[tokio::test(start_paused = true)]
async fn a_version_that_expired_during_an_outage_costs_no_further_wait() {
    let (mut source, watch) = Source::start_streaming("services").await;
    watch.initial_events_end("1");
    assert_eq!(source.next_services().await, [""; 0]);
    drop(watch);
    source.server.call("services").await.refuse(503, "restarting");
    tokio::time::sleep(MINUTE).await;
    source.server.call("services").await.refuse(410, "too old resource version");
    let begin = Instant::now();
    let call = source.server.call("services").await;
    assert!(call.is_streaming_list(), "{}", call.query);
    assert!(begin.elapsed() < Duration::from_millis(10), "{:?}", begin.elapsed());
}
