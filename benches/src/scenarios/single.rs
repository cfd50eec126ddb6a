//! One change at a time: from the event, about to be written to the API, to the commit.

use std::time::{Duration, Instant};

use super::Run;
use super::names::{REPLACED, SCALED};
use crate::cluster::{Cluster, Edit};
use crate::figures::Metric;
use crate::observe::Observer;
use crate::process::Usage;
use crate::session::Session;

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
        self.record_costs(REPLACED, session, observer, &before)
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
        self.record_costs(SCALED, session, observer, &before)
    }

    /// Writes an edit and waits for the kernel to have it. New addresses are recognised
    /// there. That one is gone shows the next transaction, while nothing else happens: not
    /// every arm names what it deletes.
    fn apply(
        &self,
        session: &Session<'_>,
        observer: &Observer,
        edit: &Edit,
    ) -> anyhow::Result<Duration> {
        std::thread::sleep(self.arm.pause);
        let patience = self.load.patience;
        if edit.fresh.is_empty() {
            let written = Instant::now();
            session.write(edit)?;
            return Ok(observer.next_commit(written, patience)? - written);
        }
        observer.expect(edit);
        session.write(edit)?;
        let observed = observer.all(patience)?;
        Ok(observed.iter().map(|it| it.latency).max().unwrap_or_default())
    }

    pub(super) fn single_changes(&self) -> u32 {
        // Up and down belong together.
        self.load.changes.min(self.arm.changes).next_multiple_of(2)
    }

    /// Waits until what happened before is over, and begins to count.
    pub(super) fn calm(&self, session: &Session<'_>, observer: &Observer) -> anyhow::Result<Usage> {
        observer.settled(self.arm.quiet, self.load.patience)?;
        observer.forget();
        observer.take_counts();
        session.usage()
    }

    /// What was used and sent since [`Run::calm`].
    pub(super) fn record_costs(
        &mut self,
        scenario: &'static str,
        session: &Session<'_>,
        observer: &Observer,
        before: &Usage,
    ) -> anyhow::Result<()> {
        let used = session.usage()?.since(before);
        let counts = observer.take_counts();
        if counts.overruns > 0 {
            self.say(&format!("{} overruns of notifications: counts are too low", counts.overruns));
        }
        let mut recorder = self.recorder();
        recorder.usage(scenario, &used);
        recorder.count(scenario, Metric::Transactions, counts.transactions);
        if observer.listens {
            recorder.count(scenario, Metric::Operations, counts.operations);
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
