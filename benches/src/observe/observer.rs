//! The thread that sees what reaches the kernel.

mod shared;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use portolan_lab::Namespace;

pub(crate) use self::shared::OVERRUN;
use self::shared::Shared;
use super::destinations::Destinations;
use super::subscription::{WANTED_BUFFER, subscribe};
use super::tracker::{Counts, Observed, Wanted};
use super::{Changes, Witness};
use crate::cluster::{Edit, PodAddresses};

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
        let socket =
            namespace.run(|| subscribe(WANTED_BUFFER)).context("cannot listen to nf_tables")?;
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
        work: impl FnOnce(&Shared) -> anyhow::Result<()> + Send + 'static,
    ) -> anyhow::Result<Observer> {
        let shared = Arc::new(Shared::default());
        let own = shared.clone();
        let thread = std::thread::Builder::new().name("observer".to_owned());
        let thread = Some(thread.spawn(move || own.keep(work))?);
        Ok(Observer { shared, witness, thread })
    }

    /// Waits for the addresses of an edit, as of now. To be called right before its objects
    /// are written.
    pub(crate) fn expect(&self, edit: &Edit) {
        self.expect_since(edit, Instant::now());
    }

    /// The same, as of when it was due.
    pub(crate) fn expect_since(&self, edit: &Edit, due: Instant) {
        let mut state = self.shared.state();
        state.tracker.serves(edit.service, edit.frontend);
        // Where a new pod has taken the place of an old one, the new one tells.
        let (wanted, pods) = match edit.fresh.is_empty() {
            true => (Wanted::Vanish, &edit.gone),
            false => (Wanted::Appear, &edit.fresh),
        };
        for pod in pods {
            state.tracker.expect(wanted, self.seen_of(*pod), edit.service, due);
        }
    }

    /// The addresses of a pod that show in what is observed.
    fn seen_of(&self, pod: PodAddresses) -> Vec<IpAddr> {
        match self.witness {
            // Frontends of IPv4 are looked at.
            Witness::Destinations => vec![pod.v4.into()],
            _ => pod.all().collect(),
        }
    }

    /// Waits until everything expected is in the kernel, and takes what was observed since
    /// the last time.
    pub(crate) fn all(&self, patience: Duration) -> anyhow::Result<Vec<Observed>> {
        let mut state = self.shared.wait(patience, |state| state.tracker.awaited() == 0)?;
        let observed = std::mem::take(&mut state.tracker.observed);
        match state.tracker.forget() {
            0 => Ok(observed),
            missing => bail!(
                "{missing} changes of endpoints are not in the kernel after {} s ({} are)",
                patience.as_secs(),
                observed.len(),
            ),
        }
    }

    /// Waits for the next commit after `since`.
    pub(crate) fn next_commit(
        &self,
        since: Instant,
        patience: Duration,
    ) -> anyhow::Result<Instant> {
        let is_later = |it: &Instant| *it >= since;
        let later = self
            .shared
            .wait(patience, |state| state.tracker.last_commit.as_ref().is_some_and(is_later))?;
        let later = later.tracker.last_commit.filter(is_later);
        later.with_context(|| format!("no transaction within {} s", patience.as_secs()))
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
            self.shared.state().check()?;
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
        self.shared.state().tracker.last_commit
    }

    /// What was counted so far, since the last time. Fails if it is not all that happened.
    pub(crate) fn take_counts(&self) -> anyhow::Result<Counts> {
        let mut state = self.shared.state();
        state.check()?;
        Ok(std::mem::take(&mut state.tracker.counts))
    }

    /// Forgets what is awaited and was observed; says how much was awaited.
    pub(crate) fn forget(&self) -> usize {
        let mut state = self.shared.state();
        state.tracker.observed.clear();
        state.tracker.forget()
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

#[cfg(test)]
mod tests;
