//! Listening on a port of the node that another program may have.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::time::sleep;

/// Between two tries to listen.
pub(crate) const LISTEN_AGAIN: Duration = Duration::from_secs(5);

/// Tries to listen every [`LISTEN_AGAIN`] until it can; `failed` is told of each try that
/// failed. A port that is taken is no reason to stop.
pub(crate) async fn until_bound<S>(
    mut bind: impl FnMut() -> io::Result<S>,
    mut failed: impl FnMut(&io::Error),
) -> S {
    loop {
        match bind() {
            Ok(socket) => return socket,
            Err(error) => failed(&error),
        }
        sleep(LISTEN_AGAIN).await;
    }
}

/// What to check if it fails so: a sentence with a space before it, or nothing.
pub(crate) fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => " Which program of this node has the port?",
        ErrorKind::AddrNotAvailable => " This node does not have that address.",
        ErrorKind::PermissionDenied => {
            " Ports below net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE."
        }
        _ => "",
    }
}

/// The same for a port that kube-proxy has too.
pub(crate) fn proxy_hint(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => " Is another service proxy running?",
        _ => hint(error),
    }
}
