//! The socket that hears of transactions.

use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};

/// `NFNLGRP_NFTABLES` of `nfnetlink.h`, as a bit of the mask to bind to.
const GROUP: u32 = 1 << (7 - 1);
/// Room for the notifications of a few thousand elements at once.
const RECEIVE_BUFFER: usize = 64 * 1024 * 1024;
/// How often whoever listens looks whether it is still wanted.
const LOOK_UP_MILLISECONDS: i64 = 50;

/// Hears of whatever is committed in the namespace of the caller from now on.
pub(super) fn subscribe() -> nix::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkNetFilter,
    )?;
    if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        // Without CAP_NET_ADMIN in the initial namespace the kernel cuts this down.
        setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
    }
    setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(LOOK_UP_MILLISECONDS))?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, GROUP))?;
    Ok(socket)
}
