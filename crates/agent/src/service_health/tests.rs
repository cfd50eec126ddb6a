//! The server set over real sockets. Each test has loopback addresses of its own.

mod addresses;
mod claims;
mod taken;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use portolan_core::{Family, ObjectName};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::*;
use crate::testing::{finish_get, get};

const PORT: u16 = 32000;

/// A server set with the loop's end of its health.
struct Scene {
    servers: ServerSet,
    health: watch::Sender<Health>,
}

impl Scene {
    /// Nothing is served yet.
    fn new() -> Scene {
        let (health, receiver) = watch::channel(Health::default());
        Scene { servers: ServerSet::new(receiver), health }
    }

    /// Serves on these addresses.
    async fn on(addresses: &[&str]) -> Scene {
        let mut scene = Scene::new();
        scene.serve_on(listed(addresses)).await;
        scene
    }

    async fn take_in(&mut self, news: News) {
        self.servers.take_in(news).await;
        // Listeners start on tasks of their own, and all that can run do so now.
        tokio::task::yield_now().await;
    }

    async fn serve_on(&mut self, served_on: ServedOn) {
        self.take_in(News { served_on: Some(served_on), ..News::default() }).await;
    }

    /// Takes in that these checks changed.
    async fn change<const N: usize>(&mut self, checks: [(&str, Option<HealthCheck>); N]) {
        self.take_in(News { checks: changed(checks), served_on: None }).await;
    }

    /// Takes in that there are these checks and no other.
    async fn replace<const N: usize>(&mut self, checks: [(&str, Option<HealthCheck>); N]) {
        let checks = Announced { complete: true, ..changed(checks) };
        self.take_in(News { checks, served_on: None }).await;
    }

    /// The ports and addresses that are listened on, or tried.
    fn listeners(&self) -> Vec<(u16, String)> {
        let tasks = self.servers.tasks();
        let of_port = |(port, tasks): (u16, Vec<(IpAddr, _)>)| {
            tasks.into_iter().map(move |(address, _)| (port, address.to_string()))
        };
        tasks.into_iter().flat_map(of_port).collect()
    }
}

fn changed<const N: usize>(checks: [(&str, Option<HealthCheck>); N]) -> Announced<HealthCheck> {
    let named = checks.into_iter().map(|(name, check)| (ObjectName::new("shop", name), check));
    Announced { complete: false, by_service: named.collect() }
}

fn listed(addresses: &[&str]) -> ServedOn {
    let of = |family| {
        let addresses = addresses.iter().map(|text| text.parse::<IpAddr>().unwrap());
        NodePortAddresses::Listed(addresses.filter(|ip| Family::of(*ip) == family).collect())
    };
    ServedOn { v4: of(Family::V4), v6: of(Family::V6) }
}

/// An IPv4 Service.
fn check(port: u16, local_endpoints: usize) -> Option<HealthCheck> {
    Some(HealthCheck { port, local_v4: Some(local_endpoints), local_v6: None })
}

fn at(address: &str, port: u16) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), port)
}

/// Who answers, with how many endpoints; `None` if nobody listens.
async fn asked(address: &str, port: u16) -> Option<(String, u64)> {
    TcpStream::connect(at(address, port)).await.ok()?;
    let response = get(at(address, port), "/").await;
    let (_, body) = response.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let name = body["service"]["name"].as_str().unwrap().to_owned();
    Some((name, body["localEndpoints"].as_u64().unwrap()))
}

fn says(name: &str, local_endpoints: u64) -> Option<(String, u64)> {
    Some((name.to_owned(), local_endpoints))
}

#[tokio::test]
async fn answers_are_those_of_kube_proxy_on_every_path() {
    let mut scene = Scene::on(&["127.32.1.1"]).await;
    let too_long = Instant::now().checked_sub(Duration::from_secs(60)).unwrap();
    let cases = [
        (0, None, "503 Service Unavailable", true),
        (1, None, "200 OK", true),
        (12, None, "200 OK", true),
        (0, Some(too_long), "503 Service Unavailable", false),
        (3, Some(too_long), "503 Service Unavailable", false),
        (3, Some(Instant::now()), "200 OK", true),
    ];
    for (count, waiting_since, status, live) in cases {
        scene.change([("web", check(PORT, count))]).await;
        scene.health.send_replace(Health { waiting_since, ..Health::default() });
        for path in ["/", "/healthz", "/any/path?at=all"] {
            let response = get(at("127.32.1.1", PORT), path).await;
            let (head, body) = response.split_once("\r\n\r\n").unwrap();
            let mut lines = head.split("\r\n");
            assert_eq!(lines.next(), Some(&*format!("HTTP/1.1 {status}")), "{count} {live}");
            let headers: Vec<&str> = lines.collect();
            for expected in [
                "content-type: application/json",
                "x-content-type-options: nosniff",
                &format!("x-load-balancing-endpoint-weight: {count}"),
            ] {
                assert!(headers.contains(&expected), "{expected} is not in {headers:?}");
            }
            let expected = format!(
                "{{\n\t\"service\": {{\n\t\t\"namespace\": \"shop\",\n\t\t\"name\": \"web\"\n\t}},\n\
                 \t\"localEndpoints\": {count},\n\t\"serviceProxyHealthy\": {live}\n}}"
            );
            assert_eq!(body, expected);
        }
    }
}

#[tokio::test]
async fn ports_open_and_close_with_their_services_and_others_stay_as_they_are() {
    let mut scene = Scene::on(&["127.32.2.1"]).await;
    scene.change([("web", check(PORT, 1)), ("api", check(PORT + 1, 2))]).await;
    let before = scene.servers.tasks();
    assert_eq!(asked("127.32.2.1", PORT).await, says("web", 1));
    assert_eq!(asked("127.32.2.1", PORT + 1).await, says("api", 2));

    scene.change([("web", check(PORT, 5))]).await;
    assert_eq!(asked("127.32.2.1", PORT).await, says("web", 5));
    assert_eq!(scene.servers.tasks(), before, "another number needs no other listener");

    scene.change([("web", None), ("stranger", None)]).await;
    assert_eq!(asked("127.32.2.1", PORT).await, None);
    assert_eq!(asked("127.32.2.1", PORT + 1).await, says("api", 2));

    scene.change([("api", check(PORT + 2, 2))]).await;
    assert_eq!(asked("127.32.2.1", PORT + 1).await, None);
    assert_eq!(asked("127.32.2.1", PORT + 2).await, says("api", 2));

    scene.replace([("web", check(PORT, 7)), ("api", check(PORT + 2, 3))]).await;
    let before = scene.servers.tasks();
    scene.replace([("api", check(PORT + 2, 4))]).await;
    assert_eq!(asked("127.32.2.1", PORT).await, None, "what a list leaves out is gone");
    assert_eq!(asked("127.32.2.1", PORT + 2).await, says("api", 4));
    assert_eq!(scene.servers.tasks()[&(PORT + 2)], before[&(PORT + 2)]);

    drop(scene);
    tokio::task::yield_now().await;
    assert_eq!(asked("127.32.2.1", PORT + 2).await, None, "nothing is left at the end");
}

#[tokio::test]
async fn a_connection_that_outlives_its_service_hears_that_there_is_nothing() {
    let mut scene = Scene::on(&["127.32.3.1"]).await;
    scene.change([("web", check(PORT, 1))]).await;
    let stream = TcpStream::connect(at("127.32.3.1", PORT)).await.unwrap();
    // Connections are accepted in their order.
    assert_eq!(asked("127.32.3.1", PORT).await, says("web", 1));
    scene.change([("web", None)]).await;
    let response = finish_get(stream, "/").await;
    assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
}

#[tokio::test]
async fn the_task_takes_in_what_the_loop_says() {
    let (mut loop_end, news) = channel();
    let (_health, receiver) = watch::channel(Health::default());
    let task = tokio::spawn(serve(news, receiver));
    loop_end.coming.checks = changed([("web", check(PORT, 2))]);
    let served_on = listed(&["127.32.4.1"]);
    loop_end.confirm(&portolan_core::Environment {
        node_ports_v4: served_on.v4,
        node_ports_v6: served_on.v6,
        ..Default::default()
    });
    tokio::task::yield_now().await;
    // The first yield runs the task, which starts the listener, and the second that one.
    tokio::task::yield_now().await;
    assert_eq!(asked("127.32.4.1", PORT).await, says("web", 2));
    drop(loop_end);
    task.await.unwrap();
}
