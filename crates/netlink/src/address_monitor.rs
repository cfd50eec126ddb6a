//! Word from the kernel that addresses of this network namespace have changed.

use std::io;
use std::os::fd::AsRawFd;

use neli::consts::socket::{Msg, NlFamily};
use neli::socket::NlSocket;
use neli::utils::Groups;
use nix::libc;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::NetlinkError;

/// `RTNLGRP_IPV4_IFADDR` and `RTNLGRP_IPV6_IFADDR` of `include/uapi/linux/rtnetlink.h`,
/// by their numbers there.
const ADDRESS_GROUPS: [u32; 2] = [5, 9];

/// A subscription to the changes of interface addresses, IPv4 and IPv6, in the network
/// namespace of the thread that opened it. Needs no privilege.
///
/// It says that something changed, not what: after an overrun, which a burst can bring
/// about at any time, only a fresh look at all addresses is right, and so it always is.
pub struct AddressMonitor {
    socket: AsyncFd<NlSocket>,
}

impl std::fmt::Debug for AddressMonitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AddressMonitor").field("descriptor", &self.socket.as_raw_fd()).finish()
    }
}

impl AddressMonitor {
    /// Subscribes. Every change after this is announced. Must be called, and waited with,
    /// in a tokio runtime that drives sockets.
    ///
    /// # Errors
    ///
    /// [`NetlinkError::Socket`] if the system has no such sockets or lets this process
    /// have none.
    pub fn open() -> Result<AddressMonitor, NetlinkError> {
        NlSocket::connect(NlFamily::Route, None, Groups::new_groups(&ADDRESS_GROUPS))
            .and_then(register)
            .map(|socket| AddressMonitor { socket })
            .map_err(|source| NetlinkError::Socket {
                action: "subscribe to changes of interface addresses",
                source,
            })
    }

    /// Waits for one announcement and takes it. An overrun (`ENOBUFS`: the kernel had more
    /// to announce than the socket could hold) counts as one. Loses nothing if cancelled.
    ///
    /// # Errors
    ///
    /// What the system says; never about an overrun.
    pub async fn announced(&self) -> io::Result<()> {
        self.socket.async_io(Interest::READABLE, take).await
    }

    /// Takes up to `most` announcements that are there already, without waiting.
    pub fn skip(&self, most: usize) {
        // An error comes again when somebody waits.
        let _ = (0..most).try_for_each(|_| take(self.socket.get_ref()));
    }
}

fn register(socket: NlSocket) -> io::Result<AsyncFd<NlSocket>> {
    // SAFETY: the socket owns its descriptor, closes it only when it is dropped, and
    // answers with the same one always.
    #[expect(unsafe_code, reason = "tokio has no safe way to wait for a socket of others")]
    let registered = unsafe { AsyncFd::register_with_interest(socket, Interest::READABLE) };
    registered.map_err(io::Error::from)
}

/// Takes one announcement, or fails with [`io::ErrorKind::WouldBlock`].
fn take(socket: &NlSocket) -> io::Result<()> {
    // What does not fit is cut off by the kernel; nobody looks at it.
    let mut ignored = [0; 1];
    loop {
        match socket.recv(&mut ignored[..], Msg::DONTWAIT) {
            Ok(_) => return Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
