//! HTTP for the health paths.

use std::io::{self, ErrorKind};
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
use crate::listen::LISTEN_AGAIN;

/// Probes are few. More connections than this wait in the kernel's queue.
const CONNECTIONS: usize = 64;

/// Serves the health paths until it is dropped. A port that is taken is no reason to
/// stop: it is tried again.
pub(crate) async fn serve(address: SocketAddr, health: watch::Receiver<Health>) {
    let failed = |error: &io::Error| {
        warn!(
            %address,
            "the health server cannot listen: {error}; trying again every {} s.{} \
             --healthz-bind-address chooses another address",
            LISTEN_AGAIN.as_secs(),
            hint(error)
        );
    };
    let listener = http::listen(address, WildcardV6::AsTheNodeSays, failed).await;
    info!(%address, "health server listens");
    accept(listener, health).await;
}

pub(super) fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => " Is another service proxy running?",
        ErrorKind::AddrNotAvailable => " This node does not have that address.",
        _ => "",
    }
}

pub(super) async fn accept(listener: TcpListener, health: watch::Receiver<Health>) {
    http::accept(listener, CONNECTIONS, move |path| respond(path, &health.borrow())).await;
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
