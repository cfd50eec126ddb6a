use std::cell::Cell;
use std::os::fd::{AsRawFd as _, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, recv, sendto, socket,
};

use super::constants::netlink::{NLM_F_CAPPED, NLMSG_ERROR, NLMSGERR_ATTR_MSG};
use super::message::{Message, Request, attributes, messages, u32_at};
use crate::LabError;

/// Larger than any answer to a request about one object.
const ANSWER_LIMIT: usize = 32 * 1024;
/// `struct nlmsghdr`
const HEADER_LENGTH: usize = 16;

/// An rtnetlink socket. It works on the network namespace in which it was opened, on
/// whichever thread it is used later; [`Namespace::run`](crate::Namespace::run) is the
/// place to open one.
#[derive(Debug)]
pub struct RouteSocket {
    socket: OwnedFd,
    sequence: Cell<u32>,
}

impl RouteSocket {
    /// Opens a socket in the calling thread's network namespace.
    ///
    /// # Errors
    ///
    /// [`LabError::System`] if the kernel has no netlink sockets left.
    pub fn open() -> Result<Self, LabError> {
        let socket = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            SockProtocol::NetlinkRoute,
        )
        .map_err(|errno| LabError::system("open an rtnetlink socket", errno))?;
        ask_for_words(&socket);
        Ok(Self { socket, sequence: Cell::new(0) })
    }

    /// Sends a change and waits for its acknowledgement; `action` is read after "cannot".
    pub(super) fn change(&self, request: Request, action: &str) -> Result<(), LabError> {
        self.ask(request, action, |_| None::<()>).map(drop)
    }

    /// Sends a question; `read` finds the answer in the payload of a message.
    pub(super) fn ask<T>(
        &self,
        request: Request,
        action: &str,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<Option<T>, LabError> {
        let failed = |errno: Errno| LabError::system(action, errno);
        let sequence = self.sequence.get().wrapping_add(1);
        self.sequence.set(sequence);
        let bytes = request.finish(sequence);
        let kernel = NetlinkAddr::new(0, 0);
        sendto(self.socket.as_raw_fd(), &bytes, &kernel, MsgFlags::empty()).map_err(failed)?;
        let mut buffer = vec![0; ANSWER_LIMIT];
        let mut answer = None;
        loop {
            let length =
                recv(self.socket.as_raw_fd(), &mut buffer, MsgFlags::empty()).map_err(failed)?;
            let received = buffer.get(..length).unwrap_or_default();
            for message in messages(received).filter(|message| message.sequence == sequence) {
                if message.kind == NLMSG_ERROR {
                    return acknowledged(&message, action).map(|()| answer);
                }
                answer = answer.or_else(|| read(message.payload));
            }
        }
    }
}

/// Has the kernel explain its refusals. Kernels before 4.12 cannot, and say less.
#[expect(unsafe_code, reason = "nix has no NETLINK_EXT_ACK")]
fn ask_for_words(socket: &OwnedFd) {
    let on: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of_val(&on)).unwrap_or_default();
    // SAFETY: the pointer and the length describe `on`, which outlives the call.
    unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_NETLINK,
            libc::NETLINK_EXT_ACK,
            (&raw const on).cast(),
            length,
        )
    };
}

fn acknowledged(message: &Message<'_>, action: &str) -> Result<(), LabError> {
    let code = u32_at(message.payload, 0).map_or(0, u32::cast_signed);
    if code == 0 {
        return Ok(());
    }
    Err(LabError::Route {
        action: action.to_owned(),
        errno: Errno::from_raw(-code),
        message: kernel_words(message),
    })
}

/// Finds the text behind the error number and the echo of the request.
fn kernel_words(message: &Message<'_>) -> Option<String> {
    let echo = if message.flags & NLM_F_CAPPED == 0 {
        usize::try_from(u32_at(message.payload, 4)?).ok()?.next_multiple_of(4)
    } else {
        HEADER_LENGTH
    };
    let text = attributes(message.payload.get(4 + echo..)?)
        .find(|(kind, _)| *kind == NLMSGERR_ATTR_MSG)?
        .1;
    let text = text.strip_suffix(&[0]).unwrap_or(text);
    Some(String::from_utf8_lossy(text).into_owned())
}
