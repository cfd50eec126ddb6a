//! HTTP for the health paths.

use std::convert::Infallible;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep, timeout};
use tracing::{debug, info, warn};

use super::{Health, report};

/// Between two tries to listen, and after a connection that could not be accepted.
const LISTEN_AGAIN: Duration = Duration::from_secs(5);
const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// A connection is for one request; a client that is slower than this is cut off.
const LONGEST_CONNECTION: Duration = Duration::from_secs(10);
/// Probes are few. More connections than this wait in the kernel's queue.
const CONNECTIONS: usize = 64;

/// Serves the health paths until it is dropped. A port that is taken is no reason to
/// stop: it is tried again.
pub(crate) async fn serve(address: SocketAddr, health: watch::Receiver<Health>) {
    let listener = listen(address).await;
    info!(%address, "health server listens");
    accept(listener, health).await;
}

async fn listen(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => warn!(
                %address,
                "the health server cannot listen: {error}; trying again every {} s.{} \
                 --healthz-bind-address chooses another address",
                LISTEN_AGAIN.as_secs(),
                hint(&error)
            ),
        }
        sleep(LISTEN_AGAIN).await;
    }
}

pub(super) fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => " Is another service proxy running?",
        ErrorKind::AddrNotAvailable => " This node does not have that address.",
        _ => "",
    }
}

pub(super) async fn accept(listener: TcpListener, health: watch::Receiver<Health>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        // Never closed, so there is always a place in the end.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let health = health.clone();
                tokio::spawn(async move {
                    connection(stream, health).await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!("the health server cannot accept a connection: {error}");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, health: watch::Receiver<Health>) {
    let service = service_fn(|request: Request<Incoming>| {
        let response = respond(request.uri().path(), &health.borrow());
        async { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(LONGEST_CONNECTION, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!("health connection: {error}"),
        Err(_) => debug!("health connection: too slow"),
    }
}

fn respond(path: &str, health: &Health) -> Response<Full<Bytes>> {
    let Some((status, body)) = report::answer(path, health, Instant::now(), Timestamp::now())
    else {
        let mut response = Response::new(Full::from("not found\n"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    };
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
