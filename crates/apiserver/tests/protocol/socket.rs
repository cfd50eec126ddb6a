//! The same over a socket, for clients of this and other processes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

use portolan_apiserver::{ApiServer, Fault, Resource};

use crate::client::service;

fn start() -> ApiServer {
    let server = ApiServer::start(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    server.store().put(&service("a", "10.0.0.1")).unwrap();
    server
}

fn request(server: &ApiServer, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: api\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Everything until the connection ends, and whether it ended as HTTP says.
fn answer(mut stream: TcpStream) -> (String, bool) {
    let mut answer = String::new();
    // A reset is an end as well.
    let _ = stream.read_to_string(&mut answer);
    let complete = answer.ends_with("\r\n0\r\n\r\n");
    (answer, complete)
}

#[test]
fn a_list_and_a_watch_reach_a_client_of_the_socket() {
    let server = start();
    let (list, complete) = answer(request(&server, "/api/v1/services"));
    assert!(list.starts_with("HTTP/1.1 200") && list.contains(r#""clusterIP":"10.0.0.1""#));
    assert!(complete, "{list}");
    let watch = request(&server, "/api/v1/services?watch=true");
    let mut lines = BufReader::new(watch).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with(r#"{"type":"ADDED""#)));
    server.store().put(&service("a", "10.0.0.2")).unwrap();
    let event = lines.find(|line| line.starts_with(r#"{"type":"MODIFIED""#)).unwrap();
    assert!(event.contains(r#""clusterIP":"10.0.0.2""#));
    drop(server);
    assert!(!lines.any(|line| line == "0"), "a stopped server cuts its watches");
}

#[test]
fn a_cut_comes_after_what_was_sent() {
    for (fault, path, sent) in [
        (Fault::CutBeforeAnswer, "/api/v1/services", ""),
        (Fault::CutInList, "/api/v1/services", r#"{"kind":"ServiceList""#),
        (Fault::CutInEvent, "/api/v1/services?watch=true", r#"{"type":"ADDED","object":{"kind""#),
    ] {
        let server = start();
        server.faults().begin(&[Resource::Services], fault.clone());
        let (cut, complete) = answer(request(&server, path));
        assert!(cut.contains(sent) && !complete, "{fault:?}: {cut}");
        assert_eq!(cut.is_empty(), sent.is_empty(), "{fault:?}: {cut}");
        assert_eq!(server.faults().struck(), 1);
    }
}
