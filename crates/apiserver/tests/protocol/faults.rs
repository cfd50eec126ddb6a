//! What each fault does to each kind of request, and that it is over when it ends.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use portolan_apiserver::{Api, Cut, Fault, Resource};
use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::client::{Next, SERVICES, Watch, get, names, send, service};

pub(crate) const STREAMING: &str = "/api/v1/services?watch=true&sendInitialEvents=true\
                         &resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
pub(crate) const RESUMED: &str = "/api/v1/services?watch=true&resourceVersion=2";
const BEGUN: &str = "/api/v1/services?watch=true";
const PATIENCE: Duration = Duration::from_secs(24 * 3600);

/// Services `a` (version 2), `b` and `c`, and this fault for Services.
pub(crate) fn three(fault: Fault) -> Api {
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
pub(crate) async fn recovers(api: &Api, after: &Fault) {
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
        (Fault::StreamingListsRefused { code: 422 }, &[STREAMING], &[SERVICES]),
        (Fault::StreamingListsRefused { code: 400 }, &[STREAMING], &[SERVICES]),
    ] {
        let api = three(fault.clone());
        let code = match fault {
            Fault::Unknown => 404,
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
async fn that_a_version_is_gone_says_the_only_event_of_the_watch_that_resumes_from_it() {
    let api = three(Fault::Expired);
    assert_eq!(Watch::start(&api, RESUMED).await.told().await, ["ERROR 410", "end"]);
    for path in [SERVICES, BEGUN, STREAMING] {
        assert_eq!(send(&api, "GET", path, "").await.status(), 200, "{path}");
    }
    assert_eq!(api.faults().struck(), 1);
    recovers(&api, &Fault::Expired).await;
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
