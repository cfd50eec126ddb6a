//! The conditions as a table, and the server over loopback.

use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::report::answer;
use super::*;
use crate::metrics::HealthAnswers;
use crate::testing::{count_warnings, get, page_telling, sample};

const PATHS: [&str; 3] = ["/livez", "/readyz", "/healthz"];

fn synced() -> Health {
    Health { last_sync: Some(Timestamp::UNIX_EPOCH), ..Health::default() }
}

fn codes(health: &Health, now: Instant) -> [u16; 3] {
    PATHS.map(|path| answer(path, health, now, Timestamp::now()).unwrap().0.as_u16())
}

fn body(path: &str, health: &Health, now: Instant) -> Value {
    let current_time = Timestamp::from_second(60).unwrap();
    serde_json::from_str(&answer(path, health, now, current_time).unwrap().1).unwrap()
}

#[test]
fn each_path_has_its_own_conditions() {
    let start = Instant::now();
    let after = |seconds| start + Duration::from_secs(seconds);
    let waiting = |health: Health| Health { waiting_since: Some(start), ..health };
    let leaving = |health: Health| Health { node_leaving: true, ..health };
    let cases = [
        ("nothing happened yet", Health::default(), start, [200, 503, 503]),
        (
            "the first sync fails for a while",
            waiting(Health::default()),
            after(59),
            [200, 503, 503],
        ),
        ("the first sync fails for long", waiting(Health::default()), after(60), [503, 503, 503]),
        ("synced", synced(), start, [200, 200, 200]),
        ("synced long ago, nothing waits", synced(), after(100_000), [200, 200, 200]),
        ("a change waits for a short time", waiting(synced()), after(59), [200, 200, 200]),
        ("a change waits for too long", waiting(synced()), after(60), [503, 503, 503]),
        ("the node is being removed", leaving(synced()), start, [200, 200, 503]),
        ("both", leaving(waiting(synced())), after(60), [503, 503, 503]),
    ];
    for (name, health, now, expected) in cases {
        assert_eq!(codes(&health, now), expected, "{name}");
    }
    assert!(answer("/metrics", &synced(), start, Timestamp::now()).is_none());
}

#[test]
fn bodies_are_those_of_kube_proxy() {
    let start = Instant::now();
    let late = start + Duration::from_secs(60);
    let family = |healthy| json!({"lastUpdated": "1970-01-01T00:00:00Z", "healthy": healthy});
    assert_eq!(
        body("/healthz", &synced(), start),
        json!({
            "lastUpdated": "1970-01-01T00:01:00Z", "currentTime": "1970-01-01T00:01:00Z",
            "nodeEligible": true, "healthy": true,
            "status": {"IPv4": family(true), "IPv6": family(true)},
        })
    );
    let leaving = Health { node_leaving: true, ..synced() };
    assert_eq!(
        body("/healthz", &leaving, start),
        json!({
            "lastUpdated": "1970-01-01T00:00:00Z", "currentTime": "1970-01-01T00:01:00Z",
            "nodeEligible": false, "healthy": true,
            "status": {"IPv4": family(true), "IPv6": family(true)},
        })
    );
    let waiting = Health { waiting_since: Some(start), ..synced() };
    assert_eq!(
        body("/livez", &waiting, late),
        json!({
            "lastUpdated": "1970-01-01T00:00:00Z", "currentTime": "1970-01-01T00:01:00Z",
            "healthy": false, "status": {"IPv4": family(false), "IPv6": family(false)},
        })
    );
    assert_eq!(
        body("/readyz", &Health::default(), start),
        json!({
            "lastUpdated": null, "currentTime": "1970-01-01T00:01:00Z",
            "healthy": false, "status": {},
        })
    );
}

#[tokio::test]
async fn the_server_answers_over_http_and_follows_the_loop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, receiver) = watch::channel(Health::default());
    let answers = HealthAnswers::default();
    let server = tokio::spawn(server::accept(listener, receiver, answers.clone()));

    let before = get(address, "/healthz").await;
    assert!(before.starts_with("HTTP/1.1 503 "), "{before}");
    sender.send_replace(synced());
    let after = get(address, "/healthz").await;
    assert!(after.starts_with("HTTP/1.1 200 "), "{after}");
    assert!(after.contains("content-type: application/json\r\n"), "{after}");
    assert!(after.contains("x-content-type-options: nosniff\r\n"), "{after}");
    assert!(get(address, "/").await.starts_with("HTTP/1.1 404 "));
    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200 "));
    server.abort();
    let page = page_telling(&answers).text();
    for (series, count) in [
        ("healthz_total{code=\"503\"}", 1.0),
        ("healthz_total{code=\"200\"}", 1.0),
        ("livez_total{code=\"200\"}", 1.0),
        ("livez_total{code=\"503\"}", 0.0),
    ] {
        assert_eq!(sample(&page, &format!("kubeproxy_proxy_{series}")), Some(count), "{series}");
    }
}

#[tokio::test]
async fn clients_that_say_nothing_do_not_keep_others_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_sender, receiver) = watch::channel(synced());
    let server = tokio::spawn(server::accept(listener, receiver, HealthAnswers::default()));
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut garbled = TcpStream::connect(address).await.unwrap();
    garbled.write_all(b"\x16\x03\x01 not http\r\n\r\n").await.unwrap();
    let answer = get(address, "/livez").await;
    assert!(answer.starts_with(&format!("HTTP/1.1 {} ", StatusCode::OK.as_u16())), "{answer}");
    server.abort();
}

#[tokio::test(start_paused = true)]
async fn a_port_that_is_taken_is_tried_again_until_it_is_free() {
    let (warnings, _guard) = count_warnings();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let (_sender, receiver) = watch::channel(synced());
    let server = tokio::spawn(serve(address, receiver, HealthAnswers::default()));
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert!(!server.is_finished());
    assert_eq!(warnings.count(), 1, "it was tried three times");
    drop(taken);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200 "));
    server.abort();
}

#[tokio::test]
async fn another_proxy_is_suspected_only_where_the_address_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let in_use = TcpListener::bind(taken.local_addr().unwrap()).await.unwrap_err();
    assert!(crate::listen::proxy_hint(&in_use).contains("another service proxy"));
    // 192.0.2.0/24 is for documentation: no machine has an address of it.
    let not_ours = TcpListener::bind("192.0.2.1:10256").await.unwrap_err();
    assert!(!crate::listen::proxy_hint(&not_ours).contains("another service proxy"), "{not_ours}");
}
