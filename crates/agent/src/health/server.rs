//! HTTP for the health paths.

use std::io;
use std::net::SocketAddr;

use http_body_util::Full;
use hyper::StatusCode;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Health, report};
use crate::http::{self, Response, WildcardV6};
use crate::listen::{LISTEN_AGAIN, proxy_hint};
use crate::metrics::HealthAnswers;

/// Probes are few. More connections than this wait in the kernel's queue.
const CONNECTIONS: usize = 64;

/// Serves the health paths until it is dropped. A port that is taken is no reason to
/// stop: it is tried again.
pub(crate) async fn serve(
    address: SocketAddr,
    health: watch::Receiver<Health>,
    answers: HealthAnswers,
) {
    let mut told = false;
    let failed = |error: &io::Error| {
        if std::mem::replace(&mut told, true) {
            return;
        }
        warn!(
            %address,
            "the health server cannot listen: {error}; trying again every {} s.{} \
             --healthz-bind-address chooses another address",
            LISTEN_AGAIN.as_secs(),
            proxy_hint(error)
        );
    };
    let listener = http::listen(address, WildcardV6::AsTheNodeSays, failed).await;
    info!(%address, "health server listens");
    accept(listener, health, answers).await;
}

pub(super) async fn accept(
    listener: TcpListener,
    health: watch::Receiver<Health>,
    answers: HealthAnswers,
) {
    let answer = move |path: &str| {
        let response = respond(path, &health.borrow());
        answers.count(path, response.status());
        response
    };
    http::accept(listener, CONNECTIONS, answer).await;
}

fn respond(path: &str, health: &Health) -> Response {
    match report::answer(path, health, Instant::now(), Timestamp::now()) {
        Some((status, body)) => http::json(status, body),
        None => {
            let mut response = Response::new(Full::from("not found\n"));
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}
