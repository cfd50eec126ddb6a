//! One change at a time: from the event, about to be written to the API, to the commit.

use std::time::{Duration, Instant};

use super::Run;
use super::names::{REPLACED, SCALED};
use crate::ask::Sent;
use crate::cluster::{Cluster, Edit};
use crate::figures::Metric;
use crate::observe::{Calm, Observer, Witness};
use crate::process::Usage;
use crate::session::Session;

/// What was used and sent before a scenario.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    usage: Usage,
    sent: Option<Sent>,
}

impl Run<'_> {
    /// A pod is replaced by another: the count stays.
    pub(super) fn replaced(
        &mut self,
        session: &Session<'_>,
        observer: &Observer,
        cluster: &mut Cluster,
    ) -> anyhow::Result<()> {
        self.say(REPLACED);
        let before = self.calm(session, observer)?;
        for round in 0..self.single_changes() {
            let edit = cluster.replace_next(round);
            let time = self.apply(session, observer, &edit)?;
            self.recorder().time(REPLACED, time);
        }
        self.record_costs_of(REPLACED, self.single_changes(), session, observer, &before)
    }

    /// A service gains a pod, and another time loses one.
    pub(super) fn scaled(
        &mut self,
        session: &Session<'_>,
        observer: &Observer,
        cluster: &mut Cluster,
    ) -> anyhow::Result<()> {
        self.say(SCALED);
        let before = self.calm(session, observer)?;
        for round in 0..self.single_changes() {
            let service = cluster.spread(round / 2);
            let edit = match round % 2 {
                0 => cluster.scale_up(service),
                _ => cluster.scale_down(service),
            };
            let time = self.apply(session, observer, &edit)?;
            self.recorder().time(SCALED, time);
        }
        self.record_costs_of(SCALED, self.single_changes(), session, observer, &before)
    }

    /// Writes an edit and waits for the kernel to have it. New addresses are recognised
    /// there. That one is gone shows the next transaction, while nothing else happens: not
    /// every arm names what it deletes. Where IPVS has none, the address is missed. Who is
    /// not listened to may begin with a transaction that cleans up: the last one counts.
    fn apply(
        &self,
        session: &Session<'_>,
        observer: &Observer,
        edit: &Edit,
    ) -> anyhow::Result<Duration> {
        std::thread::sleep(self.arm.pause);
        let patience = self.load.patience;
        if observer.witness == Witness::Generation {
            let written = Instant::now();
            session.write(edit)?;
            return self.last_commit_after(written, session, observer);
        }
        if edit.fresh.is_empty() && observer.witness != Witness::Destinations {
            let written = Instant::now();
            session.write(edit)?;
            return Ok(observer.next_commit(written, patience)? - written);
        }
        observer.expect(edit);
        session.write(edit)?;
        let observed = observer.all(patience)?;
        Ok(observed.iter().map(|it| it.latency).max().unwrap_or_default())
    }

    /// From an event to the last commit that follows it.
    pub(super) fn last_commit_after(
        &self,
        event: Instant,
        session: &Session<'_>,
        observer: &Observer,
    ) -> anyhow::Result<Duration> {
        let works = || session.works();
        Ok(observer.last_commit_after(event, &self.calm_of(&works))? - event)
    }

    fn calm_of<'a>(&self, works: &'a dyn Fn() -> anyhow::Result<bool>) -> Calm<'a> {
        Calm { quiet: self.arm.quiet, works, patience: self.load.patience }
    }

    pub(super) fn single_changes(&self) -> u32 {
        // Up and down belong together.
        self.load.changes.min(self.arm.changes).next_multiple_of(2)
    }

    /// Waits until what happened before is over, and begins to count.
    pub(super) fn calm(
        &self,
        session: &Session<'_>,
        observer: &Observer,
    ) -> anyhow::Result<Before> {
        match observer.witness {
            // What was not awaited is not seen there.
            Witness::Destinations => {
                self.idle(session)?;
            }
            _ => observer.settled(&self.calm_of(&|| session.works()))?,
        }
        observer.forget();
        observer.take_counts()?;
        // To tell what it sent costs it processor time.
        let sent = session.sent()?;
        Ok(Before { sent, usage: session.usage()? })
    }

    /// What was used and sent since [`Run::calm`].
    pub(super) fn record_costs(
        &mut self,
        scenario: &'static str,
        session: &Session<'_>,
        observer: &Observer,
        before: &Before,
    ) -> anyhow::Result<()> {
        self.record_costs_of(scenario, 1, session, observer, before)
    }

    /// The same for each of so many changes: arms have different numbers of them.
    fn record_costs_of(
        &mut self,
        scenario: &'static str,
        changes: u32,
        session: &Session<'_>,
        observer: &Observer,
        before: &Before,
    ) -> anyhow::Result<()> {
        let used = session.usage()?.since(&before.usage);
        let sent = session.sent()?;
        let counts = observer.take_counts()?;
        let mut recorder = self.recorder();
        recorder.usage_of(scenario, &used, changes);
        if observer.witness != Witness::Destinations {
            recorder.share(scenario, Metric::Transactions, counts.transactions, changes);
        }
        if observer.witness == Witness::Notifications {
            recorder.share(scenario, Metric::Operations, counts.operations, changes);
        }
        if let (Some(sent), Some(earlier)) = (sent, before.sent) {
            let sent = sent.since(earlier);
            recorder.share(scenario, Metric::Bytes, sent.bytes, changes);
            if observer.witness == Witness::Destinations {
                recorder.share(scenario, Metric::Operations, sent.operations, changes);
            }
        }
        Ok(())
    }
}

impl Session<'_> {
    /// Writes the objects of an edit, one after the other as controllers do.
    pub(super) fn write(&self, edit: &Edit) -> anyhow::Result<()> {
        for object in &edit.objects {
            self.store().put(object)?;
        }
        Ok(())
    }
}
