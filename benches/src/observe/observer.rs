//! The thread that sees what reaches the kernel.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};
use portolan_lab::Namespace;

use super::destinations::Destinations;
use super::subscription::subscribe;
use super::tracker::{Counts, Observed, Tracker};
use super::{Changes, Witness, number};
use crate::cluster::Edit;

/// The kernel fills packets of notifications up to a page or two.
const PACKET: usize = 256 * 1024;
/// Between listings of destinations.
const LIST_AGAIN: Duration = Duration::from_micros(100);

/// When an arm has nothing more to say.
pub(crate) struct Calm<'a> {
    /// So long without a transaction,
    pub(crate) quiet: Duration,
    /// and no work that may end with one,
    pub(crate) works: &'a dyn Fn() -> anyhow::Result<bool>,
    /// within this time.
    pub(crate) patience: Duration,
}

/// Observes the transactions of one namespace, until it is dropped.
pub(crate) struct Observer {
    shared: Arc<Shared>,
    pub(crate) witness: Witness,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    tracker: Mutex<Tracker>,
    changed: Condvar,
    stop: AtomicBool,
}

impl Observer {
    /// Begins to observe in this way.
    pub(crate) fn start(witness: Witness, namespace: &Namespace) -> anyhow::Result<Observer> {
        match witness {
            Witness::Notifications => Observer::listening(namespace),
            Witness::Generation => Observer::asking(namespace),
            Witness::Destinations => Observer::looking(namespace),
        }
    }

    /// Begins to listen; what is committed after this is heard.
    fn listening(namespace: &Namespace) -> anyhow::Result<Observer> {
        let socket = namespace.run(subscribe).context("cannot listen to nf_tables")?;
        Observer::spawn(Witness::Notifications, move |shared| shared.listen(&socket))
    }

    /// Begins to ask for the generation instead.
    fn asking(namespace: &Namespace) -> anyhow::Result<Observer> {
        let changes = Changes::of_generation(namespace)?;
        Observer::spawn(Witness::Generation, move |shared| shared.ask(changes))
    }

    /// Begins to look for what is awaited, and for nothing else.
    fn looking(namespace: &Namespace) -> anyhow::Result<Observer> {
        let destinations = Destinations::open(namespace).context("cannot look into IPVS")?;
        Observer::spawn(Witness::Destinations, move |shared| shared.look(destinations))
    }

    fn spawn(
        witness: Witness,
        work: impl FnOnce(&Shared) + Send + 'static,
    ) -> anyhow::Result<Observer> {
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        let thread = std::thread::Builder::new().name("observer".to_owned());
        let thread = Some(thread.spawn(move || work(&own))?);
        Ok(Observer { shared, witness, thread })
    }

    /// Waits for the addresses of an edit, as of now. To be called right before its objects
    /// are written.
    pub(crate) fn expect(&self, edit: &Edit) {
        let mut tracker = self.shared.tracker();
        tracker.serves(edit.service, edit.frontend);
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

    /// Waits for the commits after `since` and returns the last of them. See
    /// [`Observer::settled`].
    pub(crate) fn last_commit_after(
        &self,
        since: Instant,
        calm: &Calm<'_>,
    ) -> anyhow::Result<Instant> {
        // The quiet may begin only once the arm has begun.
        self.next_commit(since, calm.patience)?;
        self.settled(calm)?;
        self.last_commit().context("no transaction")
    }

    /// Waits until nothing was committed for a while and nobody works at it.
    pub(crate) fn settled(&self, calm: &Calm<'_>) -> anyhow::Result<()> {
        let begin = Instant::now();
        let mut quiet_since = begin;
        loop {
            let last = self.last_commit().map_or(quiet_since, |last| last.max(quiet_since));
            let quiet = last.elapsed();
            if quiet < calm.quiet {
                std::thread::sleep(calm.quiet - quiet);
            } else if (calm.works)()? {
                quiet_since = Instant::now();
            } else {
                return Ok(());
            }
            if begin.elapsed() > calm.patience {
                bail!("transactions do not cease within {} s", calm.patience.as_secs());
            }
        }
    }

    fn last_commit(&self) -> Option<Instant> {
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
                    self.tracker().committed(now);
                    self.changed.notify_all();
                }
                // Whoever waits says that nothing came.
                Err(_) => break,
            }
        }
    }

    fn look(&self, mut destinations: Destinations) {
        while !self.stop.load(Ordering::Relaxed) {
            let awaited = self.tracker().awaited_services();
            for (service, frontend) in awaited {
                // What cannot be listed now is listed again.
                if let Ok(pods) = destinations.pods(&frontend) {
                    self.tracker().listed(service, &pods, Instant::now());
                }
            }
            self.changed.notify_all();
            std::thread::sleep(LIST_AGAIN);
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

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_change_is_over_with_the_last_transaction_of_whoever_works_at_it() {
        let begin = Instant::now();
        let (commit, commits) = channel::<()>();
        let (committed, told) = channel();
        let observer = Observer::spawn(Witness::Generation, move |shared| {
            for () in commits {
                let now = Instant::now();
                shared.tracker().committed(now);
                shared.changed.notify_all();
                committed.send(now).unwrap();
            }
        })
        .unwrap();
        commit.send(()).unwrap();
        let mut all = vec![told.recv().unwrap()];
        // It works for longer than it is quiet, twice, and commits in the end of each.
        let left = Cell::new(2);
        let told = RefCell::new((told, &mut all));
        let works = || {
            let works = left.replace(left.get() - 1) > 0;
            if works {
                commit.send(())?;
                let (told, all) = &mut *told.borrow_mut();
                all.push(told.recv()?);
            }
            Ok(works)
        };
        let calm = Calm {
            quiet: Duration::from_millis(1),
            works: &works,
            patience: Duration::from_secs(60),
        };
        let last = observer.last_commit_after(begin, &calm).unwrap();
        assert_eq!((all.len(), Some(&last)), (3, all.last()));
        drop(commit);
    }
}
