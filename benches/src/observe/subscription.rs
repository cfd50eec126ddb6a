//! The socket that hears of transactions.

use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, setsockopt,
    socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};

/// `NFNLGRP_NFTABLES` of `nfnetlink.h`, as a bit of the mask to bind to.
const GROUP: u32 = 1 << (7 - 1);
/// Bytes of room for the notifications of a few thousand elements at once.
pub(crate) const WANTED_BUFFER: usize = 64 * 1024 * 1024;
/// Bytes of room for a packet of notifications, which the kernel fills up to a page or two.
pub(super) const PACKET: usize = 256 * 1024;
/// How often whoever listens looks whether it is still wanted.
const LOOK_UP_MILLISECONDS: i64 = 50;

/// Hears of whatever is committed in the namespace of the caller from now on, with so many
/// bytes of room for what is not yet read.
pub(crate) fn subscribe(buffer: usize) -> nix::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkNetFilter,
    )?;
    if setsockopt(&socket, sockopt::RcvBufForce, &buffer).is_err() {
        // Without CAP_NET_ADMIN in the initial namespace the kernel cuts this down to
        // net.core.rmem_max.
        setsockopt(&socket, sockopt::RcvBuf, &buffer)?;
    }
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(LOOK_UP_MILLISECONDS))?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUP))?;
    Ok(socket)
}

/// Takes in what was committed until nothing more comes.
///
/// # Errors
///
/// `ENOBUFS` if that was more than there is room for.
pub(crate) fn hear_all(socket: &OwnedFd) -> nix::Result<()> {
    let mut buffer = vec![0; PACKET];
    loop {
        match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(_) | Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}
