//! Connections.

mod endings;

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::Instant;

use super::super::tcp::CONNECT_TIMEOUT;
use super::*;

/// More than the buffers of all sockets on the way hold.
const MUCH: usize = 16 << 20;

async fn endpoint() -> (TcpListener, EndpointAddress) {
    let listener = TcpListener::bind(localhost(0)).await.unwrap();
    let address = listener.local_addr().unwrap().into();
    (listener, address)
}

/// An endpoint that refuses.
async fn dead_endpoint() -> EndpointAddress {
    endpoint().await.1
}

/// An endpoint that tells its port to whom it takes, and keeps all connections.
async fn telling_endpoint() -> EndpointAddress {
    let (listener, address) = endpoint().await;
    tokio::spawn(async move {
        let mut kept = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_u16(address.port).await.unwrap();
            kept.push(stream);
        }
    });
    address
}

async fn connect() -> io::Result<TcpStream> {
    TcpStream::connect(localhost(PORT)).await
}

/// The port of the endpoint that a new connection gets, and the connection.
async fn told() -> io::Result<(u16, TcpStream)> {
    let mut stream = connect().await?;
    Ok((stream.read_u16().await?, stream))
}

async fn endpoints_of(connections: usize) -> BTreeSet<u16> {
    let mut ports = BTreeSet::new();
    for _ in 0..connections {
        ports.insert(told().await.unwrap().0);
    }
    ports
}

/// A connection through the relay, from both ends.
async fn connection(scene: &mut Scene) -> (TcpStream, TcpStream) {
    let (listener, address) = endpoint().await;
    scene.serve(TCP, &[address]).await;
    let client = connect().await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

async fn all(mut stream: impl tokio::io::AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

#[test]
fn everything_arrives_in_both_directions_at_once() {
    isolated("tcp::everything_arrives_in_both_directions_at_once", async {
        let mut scene = Scene::new();
        let (client, server) = connection(&mut scene).await;
        let (forth, back) = (vec![1; MUCH], vec![2; MUCH]);
        let (client_reads, mut client_writes) = client.into_split();
        let (server_reads, mut server_writes) = server.into_split();
        let send_forth = async {
            client_writes.write_all(&forth).await.unwrap();
            client_writes.shutdown().await.unwrap();
        };
        let send_back = async {
            server_writes.write_all(&back).await.unwrap();
            server_writes.shutdown().await.unwrap();
        };
        let ((), (), came_forth, came_back) =
            tokio::join!(send_forth, send_back, all(server_reads), all(client_reads));
        assert!(came_forth == forth && came_back == back);
        scene.until("the connection is over", |it| it.connections == 0).await;
    });
}

#[test]
fn an_end_that_has_said_all_still_hears_the_other() {
    isolated("tcp::an_end_that_has_said_all_still_hears_the_other", async {
        for client_first in [true, false] {
            let mut scene = Scene::new();
            let (client, server) = connection(&mut scene).await;
            let (mut first, mut second) =
                if client_first { (client, server) } else { (server, client) };
            first.write_all(b"question").await.unwrap();
            first.shutdown().await.unwrap();
            assert_eq!(all(&mut second).await, b"question");
            assert_eq!(scene.report().connections, 1);
            second.write_all(b"answer").await.unwrap();
            second.shutdown().await.unwrap();
            assert_eq!(all(&mut first).await, b"answer");
            scene.until("the connection is over", |it| it.connections == 0).await;
        }
    });
}

#[test]
fn a_reset_of_either_end_reaches_the_other_even_after_a_half_close() {
    isolated("tcp::a_reset_of_either_end_reaches_the_other_even_after_a_half_close", async {
        for half_closed in [false, true] {
            for client_first in [true, false] {
                let mut scene = Scene::new();
                let (client, server) = connection(&mut scene).await;
                let (mut first, mut second) =
                    if client_first { (client, server) } else { (server, client) };
                if half_closed {
                    first.shutdown().await.unwrap();
                    assert_eq!(all(&mut second).await, b"");
                }
                first.set_zero_linger().unwrap();
                drop(first);
                scene.until("the connection is over", |it| it.connections == 0).await;
                // A socket that has read an end tells of a reset when it is written to.
                let error = match half_closed {
                    false => second.read(&mut [0]).await.unwrap_err(),
                    true => second.write(b"x").await.unwrap_err(),
                };
                let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
                assert!(kinds.contains(&error.kind()), "{error}");
            }
        }
    });
}

#[test]
fn new_connections_go_to_all_endpoints_and_past_those_that_refuse() {
    isolated("tcp::new_connections_go_to_all_endpoints_and_past_those_that_refuse", async {
        let mut scene = Scene::new();
        let live = [telling_endpoint().await, telling_endpoint().await];
        let mut endpoints = vec![dead_endpoint().await, dead_endpoint().await];
        endpoints.extend(live);
        scene.serve(TCP, &endpoints).await;
        let expected = live.iter().map(|endpoint| endpoint.port).collect();
        assert_eq!(endpoints_of(100).await, expected);
        assert_eq!(scene.report().unreachable, 0);
        assert_eq!(scene.report().accepted, 100);
    });
}

#[test]
fn an_endpoint_that_is_silent_is_passed_over() {
    isolated_and_paused("tcp::an_endpoint_that_is_silent_is_passed_over", async {
        let mut scene = Scene::new();
        let (live, silent) = (telling_endpoint().await, TcpSocket::new_v6().unwrap());
        silent.bind(localhost(0)).unwrap();
        // The kernel drops what asks for a connection while the queue is full.
        let silent = silent.listen(0).unwrap();
        let _queued = TcpStream::connect(silent.local_addr().unwrap()).await.unwrap();
        scene.serve(TCP, &[live, silent.local_addr().unwrap().into()]).await;
        let start = Instant::now();
        assert_eq!(endpoints_of(30).await, BTreeSet::from([live.port]));
        assert!(start.elapsed() >= CONNECT_TIMEOUT, "it was never tried");
    });
}

#[test]
fn a_client_whom_no_endpoint_takes_is_reset() {
    isolated("tcp::a_client_whom_no_endpoint_takes_is_reset", async {
        let mut scene = Scene::new();
        scene.serve(TCP, &[dead_endpoint().await, dead_endpoint().await]).await;
        let error = told().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        scene.until("it was counted", |it| it.unreachable == 1 && it.connections == 0).await;
    });
}

#[test]
fn with_affinity_every_connection_goes_to_one_endpoint_until_it_is_gone() {
    isolated("tcp::with_affinity_every_connection_goes_to_one_endpoint_until_it_is_gone", async {
        let mut scene = Scene::new();
        let affinity = Some(Duration::from_secs(10_800));
        let mut endpoints = Vec::new();
        for _ in 0..4 {
            endpoints.push(telling_endpoint().await);
        }
        scene.serve_with(TCP, &endpoints, affinity).await;
        while !endpoints.is_empty() {
            scene.serve_with(TCP, &endpoints, affinity).await;
            let kept = endpoints_of(20).await;
            assert_eq!(kept.len(), 1, "{kept:?}");
            let before = endpoints.len();
            endpoints.retain(|endpoint| !kept.contains(&endpoint.port));
            assert_eq!(endpoints.len(), before - 1);
        }
    });
}

#[test]
fn connections_over_the_limit_are_reset_and_counted_until_one_of_them_ends() {
    let name = "tcp::connections_over_the_limit_are_reset_and_counted_until_one_of_them_ends";
    isolated(name, async {
        // The second limit is that of file descriptors: one listener, two connections.
        for limits in [Limits::new(2, 9, 1000), Limits::new(1000, 9, 5)] {
            let mut scene = Scene::with(limits);
            scene.serve(TCP, &[telling_endpoint().await]).await;
            let mut held = vec![told().await.unwrap().1, told().await.unwrap().1];
            for _ in 0..3 {
                let error = told().await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            }
            let report = scene.report();
            assert_eq!((report.connections, report.accepted, report.over_limit), (2, 2, 3));
            held.pop().unwrap().set_zero_linger().unwrap();
            scene.until("one is over", |it| it.connections == 1).await;
            held.push(told().await.unwrap().1);
        }
    });
}
