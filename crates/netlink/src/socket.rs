//! A netlink socket.
//!
//! neli opens the socket and moves the bytes. Its typed layers are not used: they allocate
//! for every attribute, cannot express the header of a batch, and lose what the kernel says
//! about errors.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use neli::consts::socket::{Msg, NlFamily};
use neli::socket::NlSocket;
use neli::utils::Groups;
use nix::libc;
use nix::sys::socket::{getsockopt, setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};

use crate::NetlinkError;

/// What the kernel takes off the send buffer's size (`netlink_sendmsg` in
/// `net/netlink/af_netlink.c`).
const SEND_OVERHEAD: usize = 32;
/// The kernel fills no more than 32 KiB of a message that lists objects.
const RECEIVE_BUFFER: usize = 64 * 1024;
/// The kernel answers before a call to send returns; anything longer is a fault.
const ANSWER_TIMEOUT_SECONDS: i64 = 10;

/// A socket with its receive buffer and its count of sequence numbers.
pub(crate) struct Socket {
    inner: NlSocket,
    buffer: Vec<u8>,
    sequence: u32,
    send_limit: usize,
    /// Bytes of requests that change something.
    pub(crate) changes_sent: u64,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").field("descriptor", &self.inner.as_raw_fd()).finish()
    }
}

impl Socket {
    /// A socket to nf_tables and connection tracking.
    pub(crate) fn open() -> Result<Socket, NetlinkError> {
        Socket::connect(NlFamily::Netfilter, "open a netlink socket to netfilter")
    }

    /// A socket to generic netlink.
    pub(crate) fn open_generic() -> Result<Socket, NetlinkError> {
        Socket::connect(NlFamily::Generic, "open a socket to generic netlink")
    }

    /// A socket to routes and rules.
    pub(crate) fn open_route() -> Result<Socket, NetlinkError> {
        Socket::connect(NlFamily::Route, "open a netlink socket to routing")
    }

    /// Whether the kernel reads the whole request for a listing (`NETLINK_GET_STRICT_CHK`)
    /// and lists what it asks for, not everything. One older than Linux 4.20 cannot.
    pub(crate) fn list_as_requested(&self, strictly: bool) {
        let _ = self.inner.enable_strict_checking(strictly);
    }

    fn connect(family: NlFamily, action: &'static str) -> Result<Socket, NetlinkError> {
        let inner = NlSocket::connect(family, None, Groups::empty()).map_err(failed(action))?;
        let mut socket = Socket {
            inner,
            buffer: vec![0; RECEIVE_BUFFER],
            sequence: 0,
            send_limit: 0,
            changes_sent: 0,
        };
        socket.configure().map_err(failed("configure the netlink socket"))?;
        Ok(socket)
    }

    fn configure(&mut self) -> io::Result<()> {
        self.inner.enable_ext_ack(true)?;
        self.cap_acknowledgements()?;
        setsockopt(
            &self.descriptor(),
            sockopt::ReceiveTimeout,
            &TimeVal::seconds(ANSWER_TIMEOUT_SECONDS),
        )?;
        self.read_send_limit()
    }

    /// Keeps the kernel from quoting whole requests in its answers (`NETLINK_CAP_ACK`).
    fn cap_acknowledgements(&self) -> io::Result<()> {
        let on: libc::c_int = 1;
        let length = size_of::<libc::c_int>();
        // SAFETY: the descriptor is open as long as `self.inner` lives, and the kernel reads
        // `length` bytes from a pointer to an integer of that size.
        #[expect(unsafe_code, reason = "neither neli nor nix has this socket option")]
        let result = unsafe {
            libc::setsockopt(
                self.inner.as_raw_fd(),
                libc::SOL_NETLINK,
                libc::NETLINK_CAP_ACK,
                (&raw const on).cast(),
                libc::socklen_t::try_from(length).unwrap_or_default(),
            )
        };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        // SAFETY: `self.inner` owns the descriptor, closes it only when it is dropped, and
        // outlives the borrow.
        #[expect(unsafe_code, reason = "neli's socket has AsRawFd only")]
        unsafe {
            BorrowedFd::borrow_raw(self.inner.as_raw_fd())
        }
    }

    /// Takes `count` sequence numbers; returns the first.
    pub(crate) fn sequences(&mut self, count: u32) -> u32 {
        let first = self.sequence;
        self.sequence = self.sequence.wrapping_add(count);
        first
    }

    /// Sends requests that change something, and counts their bytes.
    pub(crate) fn send_changes(&mut self, bytes: &[u8]) -> Result<(), NetlinkError> {
        self.changes_sent = self.changes_sent.saturating_add(bytes.len() as u64);
        self.send(bytes)
    }

    /// Sends bytes in one piece.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), NetlinkError> {
        if bytes.len() > self.send_limit {
            self.grow_send_buffer(bytes.len())?;
        }
        self.inner.send(bytes, Msg::empty()).map_err(failed("send to the kernel"))?;
        Ok(())
    }

    /// The limit of `net.core.wmem_max` binds those that have no CAP_NET_ADMIN in the
    /// initial user namespace. The kernel cuts a larger wish down without an error.
    fn grow_send_buffer(&mut self, bytes: usize) -> Result<(), NetlinkError> {
        let wish = bytes.saturating_add(SEND_OVERHEAD);
        let descriptor = self.descriptor();
        if setsockopt(&descriptor, sockopt::SndBufForce, &wish).is_err() {
            setsockopt(&descriptor, sockopt::SndBuf, &wish)
                .map_err(|errno| failed("size the send buffer")(errno.into()))?;
        }
        self.read_send_limit().map_err(failed("read the size of the send buffer"))?;
        if bytes > self.send_limit {
            return Err(NetlinkError::TooLarge { bytes, limit: self.send_limit });
        }
        Ok(())
    }

    fn read_send_limit(&mut self) -> io::Result<()> {
        let size = getsockopt(&self.descriptor(), sockopt::SndBuf)?;
        self.send_limit = size.saturating_sub(SEND_OVERHEAD);
        Ok(())
    }

    /// Waits for the next packet of messages.
    pub(crate) fn receive(&mut self) -> Result<&[u8], ReceiveError> {
        self.receive_with(Msg::empty())
    }

    /// Throws away what is left of the answers to a request that has failed.
    pub(crate) fn drain(&mut self) {
        // An overrun is reported once and then leaves more to read.
        while matches!(self.receive_with(Msg::DONTWAIT), Ok(_) | Err(ReceiveError::Overrun)) {}
    }

    fn receive_with(&mut self, flags: Msg) -> Result<&[u8], ReceiveError> {
        let length = self.receive_into(flags | Msg::PEEK | Msg::TRUNC, 0)?;
        if length > self.buffer.len() {
            self.buffer.resize(length, 0);
        }
        let length = self.receive_into(flags, self.buffer.len())?;
        Ok(self.buffer.get(..length).unwrap_or_default())
    }

    fn receive_into(&mut self, flags: Msg, capacity: usize) -> Result<usize, ReceiveError> {
        let buffer = self.buffer.get_mut(..capacity).unwrap_or_default();
        loop {
            match self.inner.recv(&mut *buffer, flags) {
                Ok((length, _)) => return Ok(length),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ReceiveError::from(error)),
            }
        }
    }
}

/// Why there is no packet.
#[derive(Debug)]
pub(crate) enum ReceiveError {
    /// There was none, within the time allowed.
    Nothing,
    /// The kernel had more to say than the receive queue could take (`ENOBUFS`), as it has
    /// when it refuses thousands of requests. The first that it said can still be read.
    Overrun,
    Failed(io::Error),
}

impl From<io::Error> for ReceiveError {
    fn from(error: io::Error) -> ReceiveError {
        match error.raw_os_error() {
            Some(libc::ENOBUFS) => ReceiveError::Overrun,
            Some(libc::EAGAIN) => ReceiveError::Nothing,
            _ => ReceiveError::Failed(error),
        }
    }
}

fn failed(action: &'static str) -> impl FnOnce(io::Error) -> NetlinkError {
    move |source| NetlinkError::Socket { action, source }
}
