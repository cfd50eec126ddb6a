//! The socket that hears of transactions, and the thread that listens.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, setsockopt,
    socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};
use portolan_lab::Namespace;

use super::tracker::{Counts, Observed, Tracker};
use super::{Changes, number};
use crate::cluster::Edit;

/// `NFNLGRP_NFTABLES` of `nfnetlink.h`, as a bit of the mask to bind to.
const GROUP: u32 = 1 << (7 - 1);
/// Room for the notifications of a few thousand elements at once.
const RECEIVE_BUFFER: usize = 64 * 1024 * 1024;
/// The kernel fills packets of notifications up to a page or two.
const PACKET: usize = 256 * 1024;
/// How often the thread looks whether it is still wanted.
const LOOK_UP_MILLISECONDS: i64 = 50;

/// Observes the transactions of one namespace, until it is dropped.
pub(crate) struct Observer {
    shared: Arc<Shared>,
    /// Whether it hears of elements, and not of transactions alone.
    pub(crate) listens: bool,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    tracker: Mutex<Tracker>,
    changed: Condvar,
    stop: AtomicBool,
}

impl Observer {
    /// Begins to listen; what is committed after this is heard.
    pub(crate) fn listening(namespace: &Namespace) -> anyhow::Result<Observer> {
        let socket = namespace.run(subscribe).context("cannot listen to nf_tables")?;
        Observer::start(true, move |shared| shared.listen(&socket))
    }

    /// Begins to ask for the generation instead. Whatever is awaited counts as committed
    /// with the next transaction, so one change must have been seen before the next.
    pub(crate) fn asking(namespace: &Namespace) -> anyhow::Result<Observer> {
        let changes = Changes::of_generation(namespace)?;
        Observer::start(false, move |shared| shared.ask(changes))
    }

    fn start(
        listens: bool,
        work: impl FnOnce(&Shared) + Send + 'static,
    ) -> anyhow::Result<Observer> {
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        let thread = std::thread::Builder::new().name("observer".to_owned());
        let thread = Some(thread.spawn(move || work(&own))?);
        Ok(Observer { shared, listens, thread })
    }

    /// Waits for the addresses of an edit, as of now. To be called right before its objects
    /// are written.
    pub(crate) fn expect(&self, edit: &Edit) {
        let mut tracker = self.shared.tracker();
        let now = Instant::now();
        for address in &edit.fresh {
            tracker.expect(number(*address), edit.service, now);
        }
        // Where a new pod has taken the place of an old one, the new one tells.
        if edit.fresh.is_empty() {
            for address in &edit.gone {
                tracker.expect_gone(number(*address), edit.service, now);
            }
        }
    }

    /// Waits until everything expected is in the kernel, and takes what was observed since
    /// the last time.
    pub(crate) fn all(&self, patience: Duration) -> anyhow::Result<Vec<Observed>> {
        let tracker = self.shared.tracker();
        let waiting = |tracker: &mut Tracker| tracker.awaited() > 0;
        let waited = self.shared.changed.wait_timeout_while(tracker, patience, waiting);
        let (mut tracker, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let observed = std::mem::take(&mut tracker.observed);
        match tracker.forget() {
            0 => Ok(observed),
            missing => bail!(
                "{missing} changes of endpoints are not in the kernel after {} s ({} are; the \
                 kernel's notifications overran {} times)",
                patience.as_secs(),
                observed.len(),
                tracker.counts.overruns
            ),
        }
    }

    /// Waits for the next commit after `since`.
    pub(crate) fn next_commit(
        &self,
        since: Instant,
        patience: Duration,
    ) -> anyhow::Result<Instant> {
        let tracker = self.shared.tracker();
        let waiting = |tracker: &mut Tracker| tracker.last_commit.is_none_or(|it| it < since);
        let waited = self.shared.changed.wait_timeout_while(tracker, patience, waiting);
        let (tracker, _) = waited.unwrap_or_else(PoisonError::into_inner);
        tracker
            .last_commit
            .filter(|it| *it >= since)
            .with_context(|| format!("no transaction within {} s", patience.as_secs()))
    }

    /// Waits until nothing was committed for so long, at the latest as long as `patience`.
    pub(crate) fn settled(&self, quiet: Duration, patience: Duration) -> anyhow::Result<()> {
        let begin = Instant::now();
        loop {
            let since = self.last_commit().map_or(begin, |last| last.max(begin)).elapsed();
            if since >= quiet {
                return Ok(());
            }
            if begin.elapsed() > patience {
                bail!("transactions do not cease within {} s", patience.as_secs());
            }
            std::thread::sleep(quiet.saturating_sub(since));
        }
    }

    pub(crate) fn last_commit(&self) -> Option<Instant> {
        self.shared.tracker().last_commit
    }

    /// What was counted so far, since the last time.
    pub(crate) fn take_counts(&self) -> Counts {
        std::mem::take(&mut self.shared.tracker().counts)
    }

    /// Forgets what is awaited and was observed; says how much was awaited.
    pub(crate) fn forget(&self) -> usize {
        let mut tracker = self.shared.tracker();
        tracker.observed.clear();
        tracker.forget()
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn tracker(&self) -> MutexGuard<'_, Tracker> {
        self.tracker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, mut changes: Changes) {
        while !self.stop.load(Ordering::Relaxed) {
            match changes.next() {
                Ok(None) => {}
                Ok(Some(now)) => {
                    self.tracker().all_committed(now);
                    self.changed.notify_all();
                }
                // Whoever waits says that nothing came.
                Err(_) => break,
            }
        }
    }

    fn listen(&self, socket: &OwnedFd) {
        let mut buffer = vec![0; PACKET];
        while !self.stop.load(Ordering::Relaxed) {
            match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(length) => {
                    let now = Instant::now();
                    let packet = buffer.get(..length).unwrap_or_default();
                    self.tracker().packet(packet, now);
                    self.changed.notify_all();
                }
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                // ENOBUFS: what was awaited may have been among what is lost.
                Err(_) => self.tracker().counts.overruns += 1,
            }
        }
    }
}

fn subscribe() -> nix::Result<OwnedFd> {
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
