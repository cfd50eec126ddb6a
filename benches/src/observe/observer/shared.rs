//! What the thread that observes and those who wait for it have in common.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use super::super::Changes;
use super::super::destinations::Destinations;
use super::super::subscription::PACKET;
use super::super::tracker::Tracker;

/// Between listings of destinations.
const LIST_AGAIN: Duration = Duration::from_micros(100);

/// Why what was heard is not all that happened, and what helps.
pub(crate) const OVERRUN: &str = "the kernel had more notifications than the socket has room for, and some are lost: raise \
     net.core.rmem_max, which is what it has for a user other than root";

#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    pub(super) stop: AtomicBool,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) tracker: Tracker,
    /// Why nothing more is observed.
    failure: Option<String>,
}

impl State {
    /// Fails if what was observed is not all that happened.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        match &self.failure {
            Some(failure) => bail!("{failure}"),
            None => Ok(()),
        }
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something is so, or has not become so in time, or cannot be told any
    /// more, which is an error.
    pub(super) fn wait(
        &self,
        patience: Duration,
        is_so: impl Fn(&State) -> bool,
    ) -> anyhow::Result<MutexGuard<'_, State>> {
        let waiting = |state: &mut State| state.failure.is_none() && !is_so(state);
        let waited = self.changed.wait_timeout_while(self.state(), patience, waiting);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.check()?;
        Ok(state)
    }

    /// Observes, and tells those who wait if that fails.
    pub(super) fn keep(&self, observe: impl FnOnce(&Shared) -> anyhow::Result<()>) {
        if let Err(error) = observe(self) {
            self.state().failure = Some(format!("{error:#}"));
        }
        self.changed.notify_all();
    }

    /// Takes something in.
    pub(super) fn tell(&self, what: impl FnOnce(&mut Tracker)) {
        what(&mut self.state().tracker);
        self.changed.notify_all();
    }

    fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn ask(&self, mut changes: Changes) -> anyhow::Result<()> {
        while !self.stops() {
            if let Some(now) = changes.next().context("cannot ask for the generation")? {
                self.tell(|tracker| tracker.committed(now));
            }
        }
        Ok(())
    }

    pub(super) fn look(&self, mut destinations: Destinations) -> anyhow::Result<()> {
        while !self.stops() {
            let awaited = self.state().tracker.awaited_services();
            for (service, frontend) in awaited {
                let pods = destinations.pods(&frontend).context("cannot look into IPVS")?;
                self.tell(|tracker| tracker.listed(service, &pods, Instant::now()));
            }
            std::thread::sleep(LIST_AGAIN);
        }
        Ok(())
    }

    pub(super) fn listen(&self, socket: &OwnedFd) -> anyhow::Result<()> {
        let mut buffer = vec![0; PACKET];
        while !self.stops() {
            match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
                Ok(length) => {
                    let now = Instant::now();
                    let packet = buffer.get(..length).unwrap_or_default();
                    self.tell(|tracker| tracker.packet(packet, now));
                }
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                // What was awaited may have been among what is lost.
                Err(Errno::ENOBUFS) => bail!(OVERRUN),
                Err(error) => return Err(error).context("cannot listen to nf_tables"),
            }
        }
        Ok(())
    }
}
