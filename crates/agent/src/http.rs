//! The little HTTP that health checks and metrics need: one request, one answer.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use nix::sys::socket::{setsockopt, sockopt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use crate::listen::until_bound;

/// After a connection that could not be accepted.
pub(crate) const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
/// A connection is for one request; a client that is slower than this is cut off.
const LONGEST_CONNECTION: Duration = Duration::from_secs(10);
/// Connections that wait in the kernel's queue.
const BACKLOG: u32 = 1024;

/// A complete answer.
pub(crate) type Response = hyper::Response<Full<Bytes>>;

/// Which packets a listener on `[::]` gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WildcardV6 {
    /// Those of both families, unless the node's sysctls say otherwise.
    AsTheNodeSays,
    /// IPv6 only: `0.0.0.0` has a listener of its own.
    OnlyV6,
}

/// Listens, as soon as it can; `failed` is told of each try that failed.
pub(crate) async fn listen(
    address: SocketAddr,
    wildcard: WildcardV6,
    failed: impl FnMut(&io::Error),
) -> TcpListener {
    until_bound(|| try_listen(address, wildcard), failed).await
}

fn try_listen(address: SocketAddr, wildcard: WildcardV6) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // Else connections of an earlier listener would keep this one out for a minute.
    socket.set_reuseaddr(true)?;
    if address.is_ipv6() && wildcard == WildcardV6::OnlyV6 {
        setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Answers every request with `answer` to its path until it is dropped. More than
/// `connections` at once wait in the kernel's queue.
pub(crate) async fn accept<A>(listener: TcpListener, connections: usize, answer: A)
where
    A: Fn(&str) -> Response + Clone + Send + Sync + 'static,
{
    let places = Arc::new(Semaphore::new(connections));
    loop {
        // Never closed, so there is always a place in the end.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let answer = answer.clone();
                tokio::spawn(async move {
                    connection(stream, answer).await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!("an HTTP server cannot accept a connection: {error}");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, answer: impl Fn(&str) -> Response) {
    let service = service_fn(|request: Request<Incoming>| {
        let response = answer(request.uri().path());
        async { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(LONGEST_CONNECTION, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!("HTTP connection: {error}"),
        Err(_) => debug!("HTTP connection: too slow"),
    }
}

/// An answer in JSON.
pub(crate) fn json(status: StatusCode, body: String) -> Response {
    answer(status, "application/json", body)
}

/// An answer with the headers that all of kube-proxy's have.
pub(crate) fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response {
    let mut response = Response::new(Full::from(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
