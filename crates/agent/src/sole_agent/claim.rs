//! The lock: the abstract name [`NAME`] of a unix socket.
//!
//! Such names belong to the network namespace, as the rules do, whatever file systems and
//! process ids an agent sees: two pods of a node share no file that could be locked, least of
//! all the control socket. The kernel frees the name with the last thread of a process,
//! however that ends. (`flock` on `/proc/self/ns/net` would do as much, but not tell who has
//! it. A table that nf_tables deletes with its owner would keep strangers out, but needs
//! Linux 5.12, and everybody would see it among the rules.)
//!
//! Anybody in the network namespace can take an abstract name, and must not keep the agent
//! from its work by that. `SO_PEERCRED` tells who listens: only root and the agent's own user
//! are waited for. Root of another pod on the host's network is believed, even without
//! CAP_NET_ADMIN; the warning names it.

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixSocketAddr, UnixListener};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, setsockopt, socket, sockopt,
};
use nix::sys::time::TimeVal;
use nix::unistd::Uid;

use crate::http::ACCEPT_AGAIN;

/// The name, without the zero byte before it.
pub(super) const NAME: &str = "portolan-agent";
/// An agent binds and listens in one go: who does not listen after so many looks is none.
pub(super) const LOOKS_AT_SILENCE: u32 = 50;
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// For so long a full queue may stay full. Anybody can fill that of an agent, but an agent
/// empties it faster; whoever does not must not keep us here.
const ANSWERS_WITHIN: TimeVal = TimeVal::new(10, 0);

/// Whether this network namespace is ours to program.
#[derive(Debug)]
pub enum Claim {
    /// It is, for as long as this is kept.
    Granted(Sole),
    /// An agent has it.
    Agent(Holder),
    /// Something that is no agent has the name of the lock.
    Stranger(Holder),
}

/// The right to program this network namespace.
#[derive(Debug)]
pub struct Sole {
    listener: UnixListener,
}

impl Sole {
    /// Accepts whoever looks, so that the queue does not stay full.
    pub(super) fn answer(&self) -> ! {
        loop {
            if self.listener.accept().is_err() {
                thread::sleep(ACCEPT_AGAIN);
            }
        }
    }
}

/// Who has the name of the lock. Displayed as `pid 7, user 0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder(Who);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// Listens. Its process is known if that is in this PID namespace.
    Listener { pid: Option<i32>, user: Uid },
    /// Listens, and takes nobody out of a queue that is full.
    Overrun,
    /// Does not listen.
    Silent,
}

impl Holder {
    fn is_agent(self) -> bool {
        matches!(self.0, Who::Listener { user, .. } if is_trusted(user))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Who::Listener { pid: Some(pid), user } => write!(f, "pid {pid}, user {user}"),
            Who::Listener { pid: None, user } => {
                write!(f, "in another PID namespace, user {user}")
            }
            Who::Overrun => f.write_str("it does not answer; `ss -xlp` may find it"),
            Who::Silent => f.write_str("it does not listen; `ss -xp` may find it"),
        }
    }
}

/// Claims this network namespace. Waits for no agent to end; but up to ten seconds for one to
/// say that it is there.
///
/// # Errors
///
/// If the system gives no socket.
pub fn claim() -> io::Result<Claim> {
    claim_name(NAME)
}

pub(super) fn claim_name(name: &str) -> io::Result<Claim> {
    let address = UnixSocketAddr::from_abstract_name(name)?;
    let mut silences = 0;
    loop {
        match UnixListener::bind_addr(&address) {
            Ok(listener) => return Ok(Claim::Granted(Sole { listener })),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
        match holder(name, ANSWERS_WITHIN)? {
            // It may be about to listen, or have just gone.
            Holder(Who::Silent) if silences < LOOKS_AT_SILENCE => silences += 1,
            holder if holder.is_agent() => return Ok(Claim::Agent(holder)),
            holder => return Ok(Claim::Stranger(holder)),
        }
        thread::sleep(BETWEEN_LOOKS);
    }
}

pub(super) fn is_trusted(user: Uid) -> bool {
    user.is_root() || user == Uid::effective()
}

/// Who has the name, which somebody has.
pub(super) fn holder(name: &str, answers_within: TimeVal) -> io::Result<Holder> {
    let stream = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // It bounds the wait for a place in the queue. The kernel gives places in turn: who only
    // looks again and again may never see a free one.
    setsockopt(&stream, sockopt::SendTimeout, &answers_within)?;
    let address = UnixAddr::new_abstract(name.as_bytes())?;
    loop {
        match connect(stream.as_raw_fd(), &address) {
            Ok(()) => break,
            Err(Errno::EINTR) => {}
            Err(Errno::ECONNREFUSED) => return Ok(Holder(Who::Silent)),
            Err(Errno::EAGAIN) => return Ok(Holder(Who::Overrun)),
            Err(error) => return Err(error.into()),
        }
    }
    let peer = getsockopt(&stream, sockopt::PeerCredentials)?;
    // Zero is a process that this PID namespace does not have.
    let pid = Some(peer.pid()).filter(|pid| *pid != 0);
    Ok(Holder(Who::Listener { pid, user: Uid::from_raw(peer.uid()) }))
}
