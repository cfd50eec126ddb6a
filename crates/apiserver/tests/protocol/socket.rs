//! The same over a socket, for clients of this and other processes.

use std::io::{BufRead, BufReader, Read};

use portolan_apiserver::{Fault, Resource};

use crate::client::service;
use crate::connection::Server;

/// Everything until the connection ends, and whether it ended as HTTP says.
fn answer(mut connection: impl Read) -> (String, bool) {
    let mut answer = Vec::new();
    // A reset is an end as well, and so is TLS without a farewell.
    let _ = connection.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let complete = answer.ends_with("\r\n0\r\n\r\n");
    (answer, complete)
}

#[test]
fn a_list_and_a_watch_reach_a_client_of_the_socket() {
    for server in Server::of_each_kind() {
        let (list, complete) = answer(server.request("/api/v1/services"));
        assert!(list.starts_with("HTTP/1.1 200") && list.contains(r#""clusterIP":"10.0.0.1""#));
        assert!(complete, "{list}");
        let watch = server.request("/api/v1/services?watch=true");
        let mut lines = BufReader::new(watch).lines().map_while(Result::ok);
        assert!(lines.any(|line| line.starts_with(r#"{"type":"ADDED""#)));
        server.api.store().put(&service("a", "10.0.0.2")).unwrap();
        let event = lines.find(|line| line.starts_with(r#"{"type":"MODIFIED""#)).unwrap();
        assert!(event.contains(r#""clusterIP":"10.0.0.2""#));
        drop(server);
        assert!(!lines.any(|line| line == "0"), "a stopped server cuts its watches");
    }
}

#[test]
fn a_cut_comes_after_what_was_sent() {
    for (fault, path, sent) in [
        (Fault::CutBeforeAnswer, "/api/v1/services", ""),
        (Fault::CutInList, "/api/v1/services", r#"{"kind":"ServiceList""#),
        (Fault::CutInEvent, "/api/v1/services?watch=true", r#"{"type":"ADDED","object":{"kind""#),
    ] {
        for server in Server::of_each_kind() {
            server.api.faults().begin(&[Resource::Services], fault.clone());
            let (cut, complete) = answer(server.request(path));
            assert!(cut.contains(sent) && !complete, "{fault:?}: {cut}");
            assert_eq!(cut.is_empty(), sent.is_empty(), "{fault:?}: {cut}");
            assert_eq!(server.api.faults().struck(), 1);
        }
    }
}
