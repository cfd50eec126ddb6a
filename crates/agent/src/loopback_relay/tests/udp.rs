//! Flows.

use std::io::ErrorKind;

use tokio::net::UdpSocket;
use tokio::time::advance;

use super::super::flow_table::{ANSWERED, UNANSWERED};
use super::*;

async fn socket() -> UdpSocket {
    UdpSocket::bind(localhost(0)).await.unwrap()
}

fn address(socket: &UdpSocket) -> EndpointAddress {
    socket.local_addr().unwrap().into()
}

async fn client() -> UdpSocket {
    let socket = socket().await;
    socket.connect(localhost(PORT)).await.unwrap();
    socket
}

/// What arrives, and from whom.
async fn received(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut bytes = vec![0; 65_535];
    let (length, source) = socket.recv_from(&mut bytes).await.unwrap();
    bytes.truncate(length);
    (bytes, source)
}

/// Sends from `client` and waits until it arrives at `server`; whom it comes from there.
async fn send(client: &UdpSocket, server: &UdpSocket) -> SocketAddr {
    client.send(b"question").await.unwrap();
    let (bytes, source) = received(server).await;
    assert_eq!(bytes, b"question");
    source
}

/// The same, with an answer.
async fn ask(client: &UdpSocket, server: &UdpSocket) -> SocketAddr {
    let source = send(client, server).await;
    server.send_to(b"answer", source).await.unwrap();
    assert_eq!(received(client).await, (b"answer".to_vec(), localhost(PORT)));
    source
}

#[test]
fn each_client_has_a_flow_of_its_own_and_keeps_it() {
    isolated("udp::each_client_has_a_flow_of_its_own_and_keeps_it", async {
        let mut scene = Scene::new();
        let server = socket().await;
        scene.serve(UDP, &[address(&server)]).await;
        let clients = [client().await, client().await];
        let flows = [ask(&clients[0], &server).await, ask(&clients[1], &server).await];
        assert_ne!(flows[0], flows[1]);
        for (client, flow) in clients.iter().zip(flows) {
            assert_eq!(ask(client, &server).await, flow);
        }
        // An endpoint may say something unasked.
        server.send_to(b"news", flows[0]).await.unwrap();
        assert_eq!(received(&clients[0]).await.0, b"news");
        let report = scene.report();
        assert_eq!((report.flows, report.flows_begun, report.datagrams_dropped), (2, 2, 0));
        assert_eq!(report.ports[0].active, 2);
    });
}

#[test]
fn datagrams_of_any_length_arrive_whole() {
    isolated("udp::datagrams_of_any_length_arrive_whole", async {
        let mut scene = Scene::new();
        let (server, client) = (socket().await, client().await);
        scene.serve(UDP, &[address(&server)]).await;
        for length in [0, 1, 1500, 9000, 65_000] {
            client.send(&vec![3; length]).await.unwrap();
            let (bytes, source) = received(&server).await;
            assert_eq!(bytes, vec![3; length]);
            server.send_to(&bytes, source).await.unwrap();
            assert_eq!(received(&client).await.0.len(), length);
        }
    });
}

#[test]
fn new_flows_go_to_all_endpoints_or_with_affinity_to_one() {
    isolated("udp::new_flows_go_to_all_endpoints_or_with_affinity_to_one", async {
        let servers = [socket().await, socket().await];
        let endpoints = servers.each_ref().map(address);
        for (affinity, used) in [(None, 2), (Some(Duration::from_secs(60)), 1)] {
            let mut scene = Scene::new();
            scene.serve_with(UDP, &endpoints, affinity).await;
            for _ in 0..100 {
                client().await.send(b"?").await.unwrap();
            }
            let mut asked = [0; 2];
            while asked.iter().sum::<usize>() < 100 {
                settle().await;
                for (server, count) in servers.iter().zip(&mut asked) {
                    while server.try_recv_from(&mut [0; 8]).is_ok() {
                        *count += 1;
                    }
                }
            }
            assert_eq!(asked.iter().filter(|count| **count > 0).count(), used, "{asked:?}");
            scene.serve(UDP, &[]).await;
        }
    });
}

#[test]
fn a_flow_ends_at_once_with_its_endpoint_and_not_with_another() {
    isolated("udp::a_flow_ends_at_once_with_its_endpoint_and_not_with_another", async {
        let mut scene = Scene::new();
        let (first, second, client) = (socket().await, socket().await, client().await);
        scene.serve(UDP, &[address(&first)]).await;
        let flow = ask(&client, &first).await;
        scene.serve(UDP, &[address(&first), address(&second)]).await;
        assert_eq!(ask(&client, &first).await, flow);
        scene.serve(UDP, &[address(&second)]).await;
        scene.until("the flow is over", |it| it.flows == 0).await;
        ask(&client, &second).await;
        // What the first one still says has nowhere to go.
        first.send_to(b"late", flow).await.unwrap();
        ask(&client, &second).await;
        assert_eq!(scene.report().flows, 1);
    });
}

#[test]
fn a_flow_stays_with_an_endpoint_that_serves_although_new_ones_go_elsewhere() {
    let name = "udp::a_flow_stays_with_an_endpoint_that_serves_although_new_ones_go_elsewhere";
    isolated(name, async {
        let mut scene = Scene::new();
        let (first, second, client) = (socket().await, socket().await, client().await);
        scene.serve(UDP, &[address(&first)]).await;
        let flow = ask(&client, &first).await;
        let both = target("web", &[address(&first), address(&second)], None).unwrap();
        let draining = Target { endpoints: vec![address(&second)], ..both };
        scene.take_in(changed([("web", Some(Targets::from([(UDP, draining)])))])).await;
        assert_eq!(ask(&client, &first).await, flow);
        ask(&super::udp::client().await, &second).await;
    });
}

#[test]
fn without_endpoints_flows_end_and_clients_are_refused() {
    isolated("udp::without_endpoints_flows_end_and_clients_are_refused", async {
        let mut scene = Scene::new();
        let (server, client) = (socket().await, client().await);
        scene.serve(UDP, &[address(&server)]).await;
        ask(&client, &server).await;
        scene.serve(UDP, &[]).await;
        scene.until("the flow is over", |it| it.flows == 0 && it.ports.is_empty()).await;
        client.send(b"?").await.unwrap();
        let error = client.recv(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        scene.serve(UDP, &[address(&server)]).await;
        ask(&client, &server).await;
    });
}

#[test]
fn a_refusal_of_the_endpoint_ends_the_flow() {
    isolated("udp::a_refusal_of_the_endpoint_ends_the_flow", async {
        let mut scene = Scene::new();
        let (server, client) = (socket().await, client().await);
        let endpoint = address(&server);
        scene.serve(UDP, &[endpoint]).await;
        ask(&client, &server).await;
        drop(server);
        client.send(b"?").await.unwrap();
        scene.until("the flow is over", |it| it.flows == 0 && it.flows_begun == 1).await;
        let server = UdpSocket::bind(SocketAddr::from(endpoint)).await.unwrap();
        ask(&client, &server).await;
        assert_eq!(scene.report().flows_begun, 2);
    });
}

#[test]
fn idle_flows_end_like_those_of_connection_tracking() {
    isolated_and_paused("udp::idle_flows_end_like_those_of_connection_tracking", async {
        // While a blocking task runs the clock moves only as it is told.
        let (_still, wait) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || wait.recv());
        let second = Duration::from_secs(1);
        let mut scene = Scene::new();
        let (server, client) = (socket().await, client().await);
        scene.serve(UDP, &[address(&server)]).await;
        for (answered, timeout) in [(false, UNANSWERED), (true, ANSWERED)] {
            for _ in 0..2 {
                let flow = send(&client, &server).await;
                if answered {
                    assert_eq!(ask(&client, &server).await, flow);
                }
                advance(timeout - second).await;
                settle().await;
                assert_eq!(scene.report().flows, 1, "answered: {answered}");
                assert_eq!(send(&client, &server).await, flow, "what is used lives on");
            }
            advance(timeout + second).await;
            scene.until("the flow is over", |it| it.flows == 0).await;
        }
        assert_eq!(scene.report().flows_begun, 2);
    });
}

#[test]
fn when_there_are_too_many_flows_the_one_that_was_idle_for_longest_goes() {
    let name = "udp::when_there_are_too_many_flows_the_one_that_was_idle_for_longest_goes";
    isolated(name, async {
        let mut scene = Scene::with(Limits::new(9, 2, 1000));
        let server = socket().await;
        scene.serve(UDP, &[address(&server)]).await;
        let clients = [client().await, client().await, client().await];
        let mut flows = Vec::new();
        for client in &clients[..2] {
            flows.push(ask(client, &server).await);
        }
        assert_eq!(ask(&clients[0], &server).await, flows[0]);
        ask(&clients[2], &server).await;
        assert_eq!(scene.report().flows_displaced, 1);
        assert_eq!(ask(&clients[0], &server).await, flows[0], "it was used after the other");
        scene.until("there are no more", |it| it.flows == 2).await;
    });
}
