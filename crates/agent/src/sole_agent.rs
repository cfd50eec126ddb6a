//! One agent for each network namespace: two would undo each other's work for ever.
//!
//! The lock is the abstract name [`NAME`] of a unix socket. Such names belong to the network
//! namespace, as the rules do, whatever file systems and process ids an agent sees: two pods
//! of a node share no file that could be locked, least of all the control socket. The kernel
//! frees the name with the last thread of a process, however that ends. (`flock` on
//! `/proc/self/ns/net` would do as much, but not tell who has it. A table that nf_tables
//! deletes with its owner would keep strangers out, but needs Linux 5.12, and everybody would
//! see it among the rules.)
//!
//! Anybody in the network namespace can take an abstract name, and must not keep the agent
//! from its work by that. `SO_PEERCRED` tells who listens: only root and the agent's own user
//! are waited for. Root of another pod on the host's network is believed, even without
//! CAP_NET_ADMIN; the warning names it.

use std::fmt;
use std::io::{self, ErrorKind};
use std::mem;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr as UnixSocketAddr, UnixListener};
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, socket, sockopt,
};
use nix::unistd::Uid;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::health::{self, Health};
use crate::http::ACCEPT_AGAIN;
use crate::metrics::HealthAnswers;
use crate::own_task::OwnTask;

/// The name, without the zero byte before it.
const NAME: &str = "portolan-agent";
/// How often it is tried again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// An agent binds and listens in one go: who does not listen after so many looks is none.
const LOOKS_AT_SILENCE: u32 = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

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

/// Who has the name of the lock. Displayed as `pid 7, user 0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process, if that is in this PID namespace, and its user; `None` if it does not
    /// listen.
    credentials: Option<(Option<i32>, Uid)>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.credentials {
            Some((Some(pid), user)) => write!(f, "pid {pid}, user {user}"),
            Some((None, user)) => write!(f, "in another PID namespace, user {user}"),
            None => f.write_str("it does not listen; `ss -xp` may find it"),
        }
    }
}

/// Claims this network namespace. Waits for nobody.
///
/// # Errors
///
/// If the system gives no socket.
pub fn claim() -> io::Result<Claim> {
    claim_name(NAME)
}

fn claim_name(name: &str) -> io::Result<Claim> {
    let address = UnixSocketAddr::from_abstract_name(name)?;
    let mut looks = 0;
    loop {
        match UnixListener::bind_addr(&address) {
            Ok(listener) => return Ok(Claim::Granted(Sole { listener })),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
        let credentials = listening(name)?;
        if let Some((_, user)) = credentials {
            let claim = if is_trusted(user) { Claim::Agent } else { Claim::Stranger };
            return Ok(claim(Holder { credentials }));
        }
        looks += 1;
        if looks == LOOKS_AT_SILENCE {
            return Ok(Claim::Stranger(Holder { credentials }));
        }
        thread::sleep(BETWEEN_LOOKS);
    }
}

fn is_trusted(user: Uid) -> bool {
    user.is_root() || user == Uid::effective()
}

/// Process and user that listen at the name, if somebody does.
fn listening(name: &str) -> io::Result<Option<(Option<i32>, Uid)>> {
    // Else a stranger could keep us here by not accepting.
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let stream = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    let address = UnixAddr::new_abstract(name.as_bytes())?;
    match connect(stream.as_raw_fd(), &address) {
        Ok(()) => {}
        Err(Errno::ECONNREFUSED | Errno::EAGAIN) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let peer = getsockopt(&stream, sockopt::PeerCredentials)?;
    // Zero is a process that this PID namespace does not have.
    let pid = Some(peer.pid()).filter(|pid| *pid != 0);
    Ok(Some((pid, Uid::from_raw(peer.uid()))))
}

/// The claim of a running agent.
pub(crate) struct Alone {
    sole: Sole,
    _door: Option<OwnTask>,
}

impl Alone {
    fn new(sole: Sole) -> Alone {
        let door = open_door(&sole).inspect_err(|error| {
            warn!("an agent that waits for this one may not find out whom it waits for: {error}");
        });
        Alone { sole, _door: door.ok() }
    }

    /// Keeps the claim until the process ends, with whatever its threads still do.
    pub(crate) fn until_the_process_ends(self) {
        mem::forget(self.sole);
    }
}

/// Accepts whoever looks, so that the queue never fills.
fn open_door(sole: &Sole) -> io::Result<OwnTask> {
    let listener = sole.listener.try_clone()?;
    listener.set_nonblocking(true)?;
    let listener = tokio::net::UnixListener::from_std(listener)?;
    Ok(OwnTask::start(async move {
        loop {
            if listener.accept().await.is_err() {
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }))
}

/// Returns when no other agent works in this network namespace: with a claim to it, or with
/// none if there cannot be one. Until then `/healthz` at `healthz` answers 503.
pub(crate) async fn alone(healthz: Option<SocketAddr>) -> Option<Alone> {
    alone_by(NAME, healthz).await
}

async fn alone_by(name: &str, healthz: Option<SocketAddr>) -> Option<Alone> {
    let mut told = None;
    let mut server = None;
    let claim = loop {
        match claim_name(name) {
            Ok(Claim::Agent(holder)) if told == Some(holder) => {}
            Ok(Claim::Agent(holder)) => {
                warn!(
                    "another Portolan agent runs in this network namespace ({holder}); waiting for \
                     it to end"
                );
                told = Some(holder);
                server = server.or_else(|| healthz.map(serve_unhealthy));
            }
            claim => break claim,
        }
        sleep(LOOK_AGAIN).await;
    };
    if let Some(server) = server {
        server.end().await;
    }
    match claim {
        Ok(Claim::Granted(sole)) => {
            if told.is_some() {
                info!("the other agent has ended, and this one takes over");
            }
            return Some(Alone::new(sole));
        }
        Ok(Claim::Agent(holder) | Claim::Stranger(holder)) => warn!(
            "a program that is no agent of root or of this user has the name @{name} in this \
             network namespace ({holder}): two agents would not notice each other. This one goes \
             on; find out who runs that program"
        ),
        Err(error) => warn!(
            "cannot find out whether another Portolan agent runs in this network namespace: \
             {error}; going on"
        ),
    }
    None
}

fn serve_unhealthy(address: SocketAddr) -> OwnTask {
    OwnTask::start(async move {
        let (_sender, health) = watch::channel(Health::default());
        health::serve(address, health, HealthAnswers::default()).await;
    })
}

#[cfg(test)]
mod tests;
