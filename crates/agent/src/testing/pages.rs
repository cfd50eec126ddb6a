//! What the servers of an agent answer.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use portolan_watch::WatchFailures;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::health::Health;
use crate::metrics::{FlowMetrics, HealthAnswers, LoopMetrics, Page, Parts, Readings};

/// Head and body of the answer to one request over a connection of its own.
pub(crate) async fn get(address: SocketAddr, path: &str) -> String {
    finish_get(TcpStream::connect(address).await.unwrap(), path).await
}

/// The same over a connection that is there already.
pub(crate) async fn finish_get(mut stream: TcpStream, path: &str) -> String {
    let request = format!("GET {path} HTTP/1.1\r\nHost: node\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

/// The metrics page of an agent whose loop counts here.
pub(crate) fn page(agent: &LoopMetrics) -> Page {
    page_of(agent, &FlowMetrics::default(), &HealthAnswers::default(), Health::default())
}

/// The same of an agent that gave these answers.
pub(crate) fn page_telling(answers: &HealthAnswers) -> Page {
    page_of(&LoopMetrics::default(), &FlowMetrics::default(), answers, Health::default())
}

/// The same with other parts, of a process that nothing can be read of.
pub(crate) fn page_of(
    agent: &LoopMetrics,
    flows: &FlowMetrics,
    answers: &HealthAnswers,
    health: Health,
) -> Page {
    let parts = Parts {
        agent,
        flows,
        answers,
        failures: WatchFailures::default(),
        health: watch::Sender::new(health).subscribe(),
        loopback: Arc::default(),
    };
    Page::reading(parts, Timestamp::UNIX_EPOCH, Readings::default)
}

/// The value of a sample of a page, named with its labels.
pub(crate) fn sample(page: &str, name: &str) -> Option<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map(|value| value.parse().unwrap())
}
