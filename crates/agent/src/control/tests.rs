//! The control socket from both ends.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};

use portolan_core::explain::{Client, Explained, NodeView, Packet, Question, Verdict};
use portolan_core::{Environment, Index, ObjectName, Protocol};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::protocol::Status;
use super::server::LOOK_AGAIN;
use super::*;
use crate::config::BackendKind;
use crate::reconciler::{SwitchError, SwitchRequest, Switched};

fn dump() -> Dump {
    let status = Status { node_name: "node-a".to_owned(), syncs: 7, ..Status::default() };
    Dump { status, problems: Vec::new(), services: Vec::new(), loopback: None }
}

/// A node that knows of nothing but Services.
fn explained(question: &Question) -> Result<Reasons, String> {
    let (environment, addresses) = (Environment::default(), []);
    let node = NodeView {
        environment: &environment,
        addresses: &addresses,
        masquerade_all: false,
        ipvs_scheduler: None,
    };
    match question {
        Question::Packet(_) => {
            let answer = Index::new("node-a").explain(&node, question);
            Ok(Reasons { status: dump().status, answer })
        }
        Question::Service { .. } => Err("no luck".to_owned()),
    }
}

/// A server whose loop answers every query with [`dump`].
struct Server {
    path: PathBuf,
    server: JoinHandle<()>,
    _directory: TempDir,
}

impl Server {
    async fn start() -> Server {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run/control.sock");
        let (sender, mut queries) = mpsc::channel::<Query>(1);
        tokio::spawn(async move {
            while let Some(query) = queries.recv().await {
                match query {
                    Query::Dump(reply) => drop(reply.send(dump())),
                    Query::Explain(question, reply) => drop(reply.send(explained(&question))),
                    Query::Switch(SwitchRequest { to: BackendKind::Ipvs, reply, .. }) => {
                        let (from, reason) = ("nftables", "no luck".to_owned());
                        drop(reply.send(Err(SwitchError::Refused { from, reason })));
                    }
                    Query::Switch(SwitchRequest { reply, .. }) => {
                        let from = BackendKind::Ipvs;
                        drop(reply.send(Ok(Switched { from, draining: None })));
                    }
                }
            }
        });
        let server = tokio::spawn(serve(path.clone(), sender));
        while !path.exists() {
            tokio::task::yield_now().await;
        }
        Server { path, server, _directory: directory }
    }

    async fn query(&self) -> Result<Answer, ControlError> {
        self.ask(Request::Dump).await
    }

    async fn ask(&self, request: Request) -> Result<Answer, ControlError> {
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || query(&path, request)).await.unwrap()
    }

    /// What the server says to these bytes.
    async fn say(&self, bytes: &[u8]) -> String {
        let mut stream = UnixStream::connect(&self.path).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

#[tokio::test]
async fn a_client_gets_the_dump() {
    let server = Server::start().await;
    assert_eq!(server.query().await.unwrap(), Answer::Dump(Box::new(dump())));
    let line = server.say(b"{\"version\":1,\"request\":\"dump\"}\n").await;
    assert!(line.starts_with("{\"version\":1,\"answer\":{\"dump\":{\"status\":"), "{line}");
    assert!(line.ends_with("}\n"), "{line}");
}

#[tokio::test]
async fn requests_that_make_no_sense_are_refused_with_a_reason() {
    let server = Server::start().await;
    let long = vec![b'x'; 4096];
    let cases: [(&[u8], &str); 6] = [
        (b"", "expected one line of JSON"),
        (b"dump\n", "expected value"),
        (b"{\"version\":1,\"request\":\"dump\"}", "expected one line of JSON"),
        (b"{\"version\":2,\"request\":{\"new\":1}}\n", "speaks version 1, not 2"),
        (b"{\"version\":1,\"request\":\"sink\"}\n", "unknown variant `sink`"),
        (&long, "at most 4096 bytes"),
    ];
    for (bytes, reason) in cases {
        let answer = server.say(bytes).await;
        assert!(answer.contains("\"error\":"), "{answer}");
        assert!(answer.contains(reason), "{answer}");
    }
}

#[tokio::test]
async fn silent_clients_do_not_keep_others_out() {
    let server = Server::start().await;
    let mut silent = Vec::new();
    for _ in 0..7 {
        silent.push(UnixStream::connect(&server.path).await.unwrap());
    }
    assert!(server.query().await.is_ok());
}

#[tokio::test]
async fn only_the_own_user_may_open_the_socket_and_it_goes_with_the_server() {
    let server = Server::start().await;
    let mode = std::fs::metadata(&server.path).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.server.abort();
    let _ = server.server.await;
    assert!(!server.path.exists());
}

#[tokio::test]
async fn a_socket_that_another_agent_put_in_the_place_is_left_alone() {
    let server = Server::start().await;
    std::fs::remove_file(&server.path).unwrap();
    let _other = StdUnixListener::bind(&server.path).unwrap();
    server.server.abort();
    let _ = server.server.await;
    assert!(server.path.exists());
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_anything_else_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let open = || socket::ControlSocket::open(&path);

    drop(StdUnixListener::bind(&path).unwrap());
    let first = open().unwrap();
    let taken = open().err().unwrap();
    assert!(taken.to_string().contains("another agent listens"), "{taken}");
    drop(first);

    std::fs::File::create(&path).unwrap().write_all(b"precious").unwrap();
    let refused = open().err().unwrap();
    assert!(refused.to_string().contains("not a socket"), "{refused}");
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[tokio::test]
async fn a_request_far_over_the_limit_gets_its_reason_too() {
    let server = Server::start().await;
    let answer = server.say(&vec![b'x'; 1_000_000]).await;
    assert!(answer.contains("at most 4096 bytes"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_somebody_removed_is_made_again() {
    let server = Server::start().await;
    std::fs::remove_file(&server.path).unwrap();
    tokio::time::sleep(LOOK_AGAIN * 2).await;
    assert!(UnixStream::connect(&server.path).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_path_that_cannot_be_used_is_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let other = socket::ControlSocket::open(&path).unwrap();
    let (sender, _queries) = mpsc::channel(1);
    let server = tokio::spawn(serve(path.clone(), sender));
    tokio::time::sleep(LOOK_AGAIN * 2).await;
    drop(other);
    assert!(!path.exists());
    tokio::time::sleep(LOOK_AGAIN * 2).await;
    assert!(UnixStream::connect(&path).await.is_ok());
    server.abort();
}

#[test]
fn without_an_agent_the_client_says_where_it_looked() {
    let error = query(Path::new("/nowhere/control.sock"), Request::Dump).unwrap_err();
    let text = crate::chain(&error);
    assert!(text.contains("/nowhere/control.sock") && text.contains("portolan run"), "{text}");
}

#[test]
fn an_agent_that_ends_before_it_has_answered_is_not_taken_for_another_release() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    for said in ["", "{\"version\": 1, \"ans"] {
        let listener = StdUnixListener::bind(&path).unwrap();
        let agent = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(said.as_bytes()).unwrap();
            let mut request = String::new();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(stream), &mut request)
                .unwrap();
        });
        let error = query(&path, Request::Dump).unwrap_err();
        agent.join().unwrap();
        assert!(matches!(error, ControlError::Conversation { .. }), "{said:?}: {error:?}");
        std::fs::remove_file(&path).unwrap();
    }
}

#[tokio::test]
async fn a_change_of_the_backend_is_answered_when_it_is_done_or_refused() {
    let server = Server::start().await;
    let done = server.ask(Request::Switch(BackendKind::Nftables)).await.unwrap();
    assert_eq!(done, Answer::Switched { from: BackendKind::Ipvs, draining: None });
    let refused = server.ask(Request::Switch(BackendKind::Ipvs)).await.unwrap_err().to_string();
    assert!(refused.ends_with("the backend stays nftables: no luck"), "{refused}");
    let text = server.say(b"{\"version\":1,\"request\":{\"switch\":\"iptables\"}}\n").await;
    assert!(text.contains("unknown variant `iptables`"), "{text}");
}

#[tokio::test]
async fn what_becomes_of_a_packet_is_answered_or_it_is_said_why_not() {
    let server = Server::start().await;
    let packet = Packet {
        client: Client::default(),
        protocol: Protocol::Tcp,
        destination: [10, 96, 0, 1].into(),
        port: 80,
    };
    let question = Question::Packet(packet);
    let answer = server.ask(Request::Explain(Box::new(question.clone()))).await.unwrap();
    assert_eq!(answer, Answer::Explained(Box::new(explained(&question).unwrap())));
    let Answer::Explained(reasons) = answer else { panic!("{answer:?}") };
    let Explained::Packet(explanation) = reasons.answer else { panic!("{:?}", reasons.answer) };
    assert_eq!(explanation.outcomes[0].verdict, Verdict::Pass);

    let name = ObjectName::new("shop", "web");
    let question = Question::Service { name, client: Client::default() };
    let refused = server.ask(Request::Explain(Box::new(question))).await.unwrap_err();
    assert!(refused.to_string().ends_with("says: no luck"), "{refused}");
}
