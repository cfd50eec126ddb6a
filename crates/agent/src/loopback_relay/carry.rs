//! Both directions of a connection.

use std::io;
use std::pin::pin;

use nix::sys::socket::{setsockopt, sockopt};
use tokio::io::{AsyncWriteExt as _, Interest};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tracing::debug;

/// An endpoint that fell silent is asked whether it is there after so many seconds, and
/// given up about as many later. Longer than a network that is mended may have been away.
const ENDPOINT_IDLE: u32 = 600;

/// Carries bytes both ways until both ends have closed, or one is broken, or `ended`
/// returns, which resets both. Each end hears of a half-close and of a reset of the other.
pub(super) async fn carry(
    mut client: TcpStream,
    mut upstream: TcpStream,
    ended: impl Future<Output = ()>,
) {
    if let Err(error) = prepare(&client, &upstream) {
        debug!("a connection from ::1: {error}");
    }
    let carried = tokio::select! {
        carried = exchange(&mut client, &mut upstream) => carried,
        () = ended => Err(io::Error::other("its endpoint serves no longer")),
    };
    if let Err(error) = carried {
        debug!("a connection from ::1: {error}");
        reset(client);
        reset(upstream);
    }
}

/// Closes a connection with a reset.
pub(super) fn reset(stream: TcpStream) {
    // Without it the other end hears of an orderly end.
    let _ = stream.set_zero_linger();
}

fn prepare(client: &TcpStream, upstream: &TcpStream) -> io::Result<()> {
    // The writers decided how much goes at once.
    client.set_nodelay(true)?;
    upstream.set_nodelay(true)?;
    setsockopt(upstream, sockopt::KeepAlive, &true)?;
    setsockopt(upstream, sockopt::TcpKeepIdle, &ENDPOINT_IDLE)?;
    Ok(())
}

/// Unlike [`tokio::io::copy_bidirectional`] it watches an end that has said all it had to:
/// if that one breaks, nobody is left to read what the other says.
async fn exchange(client: &mut TcpStream, upstream: &mut TcpStream) -> io::Result<()> {
    let (client_reads, client_writes) = client.split();
    let (upstream_reads, upstream_writes) = upstream.split();
    let mut forth = pin!(one_way(client_reads, upstream_writes));
    let mut back = pin!(one_way(upstream_reads, client_writes));
    let (ended, other) = tokio::select! {
        ended = &mut forth => (ended?, back),
        ended = &mut back => (ended?, forth),
    };
    tokio::select! {
        ended = other => ended.map(drop),
        _ = ended.ready(Interest::ERROR) => Err(io::ErrorKind::ConnectionReset.into()),
    }
}

/// Returns `from` when it has said all it had to.
async fn one_way<'a>(mut from: ReadHalf<'a>, mut to: WriteHalf<'a>) -> io::Result<ReadHalf<'a>> {
    tokio::io::copy(&mut from, &mut to).await?;
    to.shutdown().await?;
    Ok(from)
}
