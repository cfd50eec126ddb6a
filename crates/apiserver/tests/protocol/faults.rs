//! What each fault does to each kind of request, and that it is over when it ends.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use portolan_apiserver::{Api, Cut, Fault, Resource};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::client::{Next, SERVICES, Watch, get, names, send, service};

const STREAMING: &str = "/api/v1/services?watch=true&sendInitialEvents=true\
                         &resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
const RESUMED: &str = "/api/v1/services?watch=true&resourceVersion=2";
const BEGUN: &str = "/api/v1/services?watch=true";
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Services `a` (version 2), `b` and `c`, and this fault for Services.
fn three(fault: Fault) -> Api {
    let api = Api::new();
    for name in ["a", "b", "c"] {
        api.store().put(&service(name, "10.0.0.1")).unwrap();
    }
    api.faults().begin(&[Resource::Services], fault);
    api
}

/// How a request ends: the status and the body, as far as it came.
#[derive(Debug, PartialEq)]
enum End {
    Complete(StatusCode, String),
    Cut(String),
    Never(String),
}

async fn ask(api: &Api, path: &str) -> End {
    let request = Request::builder().uri(path).body(Empty::<Bytes>::new()).unwrap();
    let mut answer = match timeout(PATIENCE, api.answer(request)).await {
        Err(_) => return End::Never("unanswered".to_owned()),
        Ok(Err(Cut)) => return End::Cut(String::new()),
        Ok(Ok(answer)) => answer,
    };
    let mut body = String::new();
    loop {
        match timeout(PATIENCE, answer.body_mut().frame()).await {
            Err(_) => return End::Never(body),
            Ok(None) => return End::Complete(answer.status(), body),
            Ok(Some(Err(Cut))) => return End::Cut(body),
            Ok(Some(Ok(frame))) => {
                body.push_str(str::from_utf8(&frame.into_data().unwrap()).unwrap());
            }
        }
    }
}

/// After all faults, everything is as if there had been none.
async fn recovers(api: &Api, after: &Fault) {
    api.faults().clear();
    assert_eq!(names(&get(api, SERVICES).await.1), ["a", "b", "c"], "{after:?}");
    let mut watch = Watch::start(api, STREAMING).await;
    let told = watch.told().await;
    assert_eq!(told, ["ADDED a 2", "ADDED b 3", "ADDED c 4", "BOOKMARK 4 complete"], "{after:?}");
    let mut watch = Watch::start(api, RESUMED).await;
    assert_eq!(watch.told().await, ["ADDED b 3", "ADDED c 4"], "{after:?}");
}

#[tokio::test(start_paused = true)]
async fn refusals_look_like_those_of_an_api_server() {
    for (code, reason) in [
        (400, "BadRequest"),
        (401, "Unauthorized"),
        (403, "Forbidden"),
        (404, "NotFound"),
        (410, "Expired"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (503, "ServiceUnavailable"),
    ] {
        let fault = Fault::Refused { code, retry_after: Some(7) };
        let api = three(fault.clone());
        let one = "/api/v1/namespaces/default/services/a";
        for path in [SERVICES, RESUMED, STREAMING, one] {
            let (status, refusal) = get(&api, path).await;
            assert_eq!((status.as_u16(), &refusal["code"]), (code, &code.into()), "{path}");
            assert_eq!((&refusal["kind"], &refusal["reason"]), (&"Status".into(), &reason.into()));
            let seconds = (code != 410).then(|| 7.into());
            assert_eq!(refusal["details"].get("retryAfterSeconds"), seconds.as_ref(), "{code}");
        }
        assert_eq!(get(&api, "/api/v1/nodes").await.0, 200, "other resources are as ever");
        assert_eq!(api.faults().struck(), 4);
        recovers(&api, &fault).await;
    }
    let api = three(Fault::Refused { code: 429, retry_after: Some(7) });
    let request = Request::builder().uri(SERVICES).body(Empty::<Bytes>::new()).unwrap();
    assert_eq!(api.answer(request).await.unwrap().headers()["Retry-After"], "7");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_or_not_allowed_is_refused_to_those_who_ask_for_it() {
    for (fault, struck, spared) in [
        (Fault::Unknown, &[SERVICES, RESUMED, STREAMING][..], &[][..]),
        (Fault::Expired, &[RESUMED], &[SERVICES, BEGUN]),
        (Fault::StreamingListsRefused { code: 422 }, &[STREAMING], &[SERVICES]),
        (Fault::StreamingListsRefused { code: 400 }, &[STREAMING], &[SERVICES]),
    ] {
        let api = three(fault.clone());
        let code = match fault {
            Fault::Unknown => 404,
            Fault::Expired => 410,
            Fault::StreamingListsRefused { code } => code,
            _ => panic!("{fault:?}"),
        };
        for path in struck {
            let End::Complete(status, body) = ask(&api, path).await else { panic!("{path}") };
            assert_eq!(status, code, "{fault:?} {path}: {body}");
        }
        for path in spared {
            assert_eq!(send(&api, "GET", path, "").await.status(), 200, "{fault:?} {path}");
        }
        recovers(&api, &fault).await;
    }
}

#[tokio::test(start_paused = true)]
async fn connections_are_cut_where_the_fault_says() {
    for (fault, path, last) in [
        (Fault::CutBeforeAnswer, SERVICES, None),
        (Fault::CutBeforeAnswer, STREAMING, None),
        (Fault::CutInList, SERVICES, Some("\"a\"")),
        (Fault::CutInList, STREAMING, Some("\"a\"")),
        (Fault::CutInEvent, RESUMED, Some("ADDED")),
        (Fault::CutInEvent, STREAMING, Some("ADDED")),
    ] {
        let api = three(fault.clone());
        let End::Cut(sent) = ask(&api, path).await else { panic!("{fault:?} {path}") };
        assert_eq!(sent.is_empty(), last.is_none(), "{fault:?} {path}");
        assert!(sent.contains(last.unwrap_or_default()), "{fault:?} {path}: {sent}");
        let rest = sent.lines().last().unwrap_or_default();
        assert!(serde_json::from_str::<Value>(rest).is_err(), "{fault:?} {path}: {rest}");
        recovers(&api, &fault).await;
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_for_ever() {
    for (fault, path, sent) in [
        (Fault::Unanswered, SERVICES, "unanswered"),
        (Fault::Unanswered, RESUMED, "unanswered"),
        (Fault::Silence, SERVICES, ""),
        (Fault::Silence, RESUMED, ""),
        (Fault::Silence, STREAMING, ""),
    ] {
        let api = three(fault.clone());
        let asked = ask(&api, path).await;
        assert_eq!(asked, End::Never(sent.to_owned()), "{fault:?} {path}");
        recovers(&api, &fault).await;
    }
}

#[tokio::test(start_paused = true)]
async fn open_watches_fall_silent_and_stay_silent() {
    let api = three(Fault::Expired);
    api.faults().clear();
    let path = format!("{RESUMED}&allowWatchBookmarks=true&timeoutSeconds=60");
    let mut watch = Watch::start(&api, &path).await;
    assert_eq!(watch.told().await, ["ADDED b 3", "ADDED c 4"]);
    api.faults().begin(&[Resource::Services], Fault::Silence);
    assert_eq!(watch.told().await, [""; 0]);
    api.faults().clear();
    api.store().put(&service("d", "10.0.0.1")).unwrap();
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(120) {
        assert_eq!(watch.next().await, Next::Silence, "no event, no bookmark and no end");
    }
}

#[tokio::test(start_paused = true)]
async fn nonsense_is_no_json() {
    let api = three(Fault::GarbledList);
    let End::Complete(status, list) = ask(&api, SERVICES).await else { panic!() };
    assert_eq!(status, 200);
    assert!(list.contains("\"a\"") && serde_json::from_str::<Value>(&list).is_err(), "{list}");
    recovers(&api, &Fault::GarbledList).await;

    let api = three(Fault::GarbledEvent);
    api.faults().clear();
    api.faults().begin_for(&[Resource::Services], Fault::GarbledEvent, 1);
    let mut watch = Watch::start(&api, RESUMED).await;
    assert!(matches!(watch.next().await, Next::Garbled(_)));
    assert_eq!(watch.told().await, ["ADDED c 4"], "and the watch goes on");
    recovers(&api, &Fault::GarbledEvent).await;
}

#[tokio::test(start_paused = true)]
async fn events_come_twice_or_as_an_expired_version() {
    for (fault, told) in [
        (Fault::DuplicateEvents, &["ADDED b 3", "ADDED b 3", "ADDED c 4", "ADDED c 4"][..]),
        (Fault::ExpiredInWatch, &["ERROR 410", "end"]),
    ] {
        let api = three(fault.clone());
        assert_eq!(Watch::start(&api, RESUMED).await.told().await, told);
        recovers(&api, &fault).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_know_streaming_lists_never_says_that_one_is_complete() {
    let api = three(Fault::StreamingListsIgnored);
    let mut watch = Watch::start(&api, STREAMING).await;
    assert_eq!(watch.told().await, ["ADDED a 2", "ADDED b 3", "ADDED c 4"]);
    recovers(&api, &Fault::StreamingListsIgnored).await;
}

#[tokio::test(start_paused = true)]
async fn answers_trickle_and_watches_are_short_in_the_time_that_is_said() {
    let fault = Fault::Trickle { bytes: 10, pause: Duration::from_secs(1) };
    let api = three(fault.clone());
    let begin = Instant::now();
    let End::Complete(_, list) = ask(&api, SERVICES).await else { panic!() };
    assert_eq!(begin.elapsed().as_secs(), list.len().div_ceil(10) as u64);
    assert_eq!(names(&serde_json::from_str(&list).unwrap()), ["a", "b", "c"]);
    recovers(&api, &fault).await;

    let fault = Fault::ShortWatches(Duration::from_secs(3));
    let api = three(fault.clone());
    for path in [RESUMED, STREAMING] {
        let begin = Instant::now();
        assert!(matches!(ask(&api, path).await, End::Complete(..)), "{path}");
        assert_eq!(begin.elapsed().as_secs(), 3, "{path}");
    }
    recovers(&api, &fault).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_behind_tells_an_older_state_until_it_catches_up() {
    let fault = Fault::Behind { resource_version: 3 };
    let api = three(fault.clone());
    let mut open = Watch::start(&api, RESUMED).await;
    let mut streaming = Watch::start(&api, STREAMING).await;
    assert_eq!(open.told().await, ["ADDED b 3"]);
    assert_eq!(streaming.told().await, ["ADDED a 2", "ADDED b 3", "BOOKMARK 3 complete"]);
    let (_, list) = get(&api, SERVICES).await;
    assert_eq!((names(&list).len(), &list["metadata"]["resourceVersion"]), (2, &"3".into()));
    let (status, _) = get(&api, &format!("{SERVICES}?resourceVersion=4")).await;
    assert_eq!(status, 504);
    let mut ahead = Watch::start(&api, "/api/v1/services?watch=true&resourceVersion=4").await;
    assert_eq!(ahead.told().await, [""; 0]);
    recovers(&api, &fault).await;
    for watch in [&mut open, &mut streaming] {
        assert_eq!(watch.told().await, ["ADDED c 4"]);
    }
    assert_eq!(ahead.told().await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn of_two_servers_that_are_behind_the_one_further_behind_is_asked() {
    let api = three(Fault::Behind { resource_version: 2 });
    api.faults().begin(&[Resource::Services], Fault::Behind { resource_version: 3 });
    assert_eq!(names(&get(&api, SERVICES).await.1), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn open_watches_end_and_are_cut_when_that_is_said() {
    let api = three(Fault::Expired);
    api.faults().clear();
    for (interrupt, ends) in [
        (portolan_apiserver::Faults::end_watches as fn(&_, &[Resource]), Next::End),
        (portolan_apiserver::Faults::cut_watches, Next::Cut(String::new())),
    ] {
        let mut watch = Watch::start(&api, RESUMED).await;
        let mut other = Watch::start(&api, "/api/v1/nodes?watch=true").await;
        assert_eq!(watch.told().await, ["ADDED b 3", "ADDED c 4"]);
        interrupt(api.faults(), &[Resource::Services]);
        assert_eq!(watch.next().await, ends);
        assert_eq!(other.next().await, Next::Silence);
        let mut again = Watch::start(&api, RESUMED).await;
        assert_eq!(again.told().await, ["ADDED b 3", "ADDED c 4"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_strikes_as_often_as_it_was_told() {
    let api = three(Fault::Expired);
    api.faults().clear();
    let refused = |code| Fault::Refused { code, retry_after: None };
    api.faults().begin_for(&[Resource::Services], refused(500), 2);
    api.faults().begin_for(&[Resource::Services, Resource::Nodes], refused(503), 1);
    api.faults().begin_for(&[Resource::Nodes], refused(429), 0);
    let mut found = Vec::new();
    for path in [SERVICES, SERVICES, SERVICES, SERVICES, "/api/v1/nodes"] {
        found.push(get(&api, path).await.0.as_u16());
    }
    assert_eq!(found, [500, 500, 503, 200, 200]);
    assert_eq!(api.faults().struck(), 3);
}
