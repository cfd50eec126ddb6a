//! HTTP for the metrics paths: plain and without authentication, as kube-proxy's.
//!
//! | path | answer |
//! |---|---|
//! | `/metrics` | the page, in Prometheus' text format |
//! | `/healthz` | `ok`: this server answers; whether the agent works, the health server says |
//! | `/proxyMode` | the backend's name |

use std::io;
use std::net::SocketAddr;

use hyper::StatusCode;
use prometheus_client::encoding::prometheus_text;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::{info, warn};

use super::Page;
use crate::http::{self, Response, WildcardV6};
use crate::listen::{LISTEN_AGAIN, proxy_hint};

/// More connections than this wait in the kernel's queue: a page takes memory until its
/// reader has it.
const CONNECTIONS: usize = 16;
const TEXT: &str = "text/plain; charset=utf-8";

/// Serves the metrics paths until it is dropped. A port that is taken is no reason to
/// stop: it is tried again. `mode` is the backend's name as it is now.
pub(crate) async fn serve(address: SocketAddr, page: Page, mode: watch::Receiver<&'static str>) {
    let mut told = false;
    let failed = |error: &io::Error| {
        if std::mem::replace(&mut told, true) {
            return;
        }
        warn!(
            %address,
            "the metrics server cannot listen: {error}; trying again every {} s.{} \
             --metrics-bind-address chooses another address",
            LISTEN_AGAIN.as_secs(),
            proxy_hint(error)
        );
    };
    let listener = http::listen(address, WildcardV6::AsTheNodeSays, failed).await;
    info!(%address, "metrics server listens");
    accept(listener, page, mode).await;
}

pub(super) async fn accept(listener: TcpListener, page: Page, mode: watch::Receiver<&'static str>) {
    http::accept(listener, CONNECTIONS, move |path| respond(path, &page, *mode.borrow())).await;
}

fn respond(path: &str, page: &Page, mode: &'static str) -> Response {
    match path {
        "/metrics" => http::answer(StatusCode::OK, prometheus_text::CONTENT_TYPE, page.text()),
        "/healthz" => http::answer(StatusCode::OK, TEXT, "ok"),
        "/proxyMode" => http::answer(StatusCode::OK, TEXT, mode),
        _ => http::answer(StatusCode::NOT_FOUND, TEXT, "not found\n"),
    }
}
