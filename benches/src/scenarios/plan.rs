//! From plans to the kernel, in this process: what the backend costs by itself, beside the
//! floor. This is where DESIGN's "from plan to committed" is measured.

mod fits;
mod floor;
mod meter;

use anyhow::{Context as _, anyhow};
use portolan_core::{Backend as _, SyncReport, Update};
use portolan_nft::{NftBackend, NftOptions, cleanup};

pub(crate) use self::fits::fits;
use self::floor::{Floor, Sent};
use self::meter::{Cost, Meter};
use super::names::{PLAN_FULL, PLAN_REPLACED, PLAN_RESTART, PLAN_SCALED};
use crate::arguments::Load;
use crate::arms::{FLOOR, PORTOLAN};
use crate::cluster::{Cluster, Edit};
use crate::feed::{Feed, environment};
use crate::figures::{Figures, Metric, Recorder, Size};
use crate::freed::wait_until_freed;
use crate::progress::Progress;

/// One run at one size.
pub(crate) struct Plan<'a> {
    pub(crate) load: &'a Load,
    pub(crate) run: u32,
    pub(crate) figures: &'a mut Figures,
    pub(crate) progress: &'a Progress,
}

impl Plan<'_> {
    /// In the namespace of the caller, whose table is taken away afterwards.
    pub(crate) fn measure(&mut self) -> anyhow::Result<()> {
        let say = |what: &str| {
            let (services, run) = (self.load.spec.services, self.run + 1);
            self.progress.say(&format!("{services} services, in process, run {run}: {what}"));
        };
        say("plans are made");
        let mut cluster = Cluster::new(&self.load.spec);
        let mut feed = Feed::new(&cluster)?;
        say("plans go to the kernel");
        let mut floor = Floor::new()?;
        let mut backend = self.full(&feed, &mut floor)?;
        self.restart(&feed)?;
        floor.follow(&feed.plans(), &environment()?)?;
        let changes = self.load.changes;
        let replaced: Vec<Edit> = (0..changes).map(|round| cluster.replace_next(round)).collect();
        let mut both = Both { backend: &mut backend, floor: &mut floor };
        self.changes(PLAN_REPLACED, &mut feed, &mut both, &replaced)?;
        let mut scaled = Vec::new();
        // Up and down belong together.
        for service in
            (0..changes.div_ceil(2)).map(|round| cluster.spread(round)).collect::<Vec<_>>()
        {
            scaled.extend([cluster.scale_up(service), cluster.scale_down(service)]);
        }
        self.changes(PLAN_SCALED, &mut feed, &mut both, &scaled)?;
        cleanup(&NftOptions::default().table)?;
        Ok(())
    }

    /// To a kernel that has nothing, in turn with the bare transaction.
    fn full(&mut self, feed: &Feed, floor: &mut Floor) -> anyhow::Result<NftBackend> {
        let (options, environment, plans) = (NftOptions::default(), environment()?, feed.plans());
        cleanup(&options.table)?;
        floor.clear()?;
        wait_until_freed()?;
        let early = goes_first(self.run).then(|| floor.full(&plans, &environment)).transpose()?;
        let mut backend = NftBackend::open(options)?;
        let meter = Meter::start();
        let report = backend.converge(&mut plans.iter(), &environment);
        let cost = meter.stop();
        let sent = early.map_or_else(|| floor.full(&plans, &environment), Ok)?;
        self.line(PLAN_FULL, cost, &report.map_err(|error| anyhow!(error))?);
        self.floor_line(PLAN_FULL, cost, &sent);
        Ok(backend)
    }

    /// To a kernel that has everything.
    fn restart(&mut self, feed: &Feed) -> anyhow::Result<()> {
        let (plans, environment) = (feed.plans(), environment()?);
        let mut backend = NftBackend::open(NftOptions::default())?;
        let meter = Meter::start();
        let report = backend.converge(&mut plans.iter(), &environment);
        let cost = meter.stop();
        self.line(PLAN_RESTART, cost, &report.map_err(|error| anyhow!(error))?);
        Ok(())
    }

    /// From the event, read already, to the commit; in turn with the same operations, encoded
    /// beforehand.
    fn changes(
        &mut self,
        scenario: &'static str,
        feed: &mut Feed,
        both: &mut Both<'_>,
        edits: &[Edit],
    ) -> anyhow::Result<()> {
        let updates: anyhow::Result<Vec<Vec<Update>>> =
            edits.iter().map(|edit| feed.updates(edit)).collect();
        for (round, updates) in (0..).zip(updates?) {
            updates.iter().cloned().for_each(|update| feed.ahead.apply(update));
            let mut batch = Some(both.floor.encode(&feed.ahead.take_changes())?);
            let mut send = |floor: &mut Floor| batch.take().map(|it| floor.send(it)).transpose();
            let early = if goes_first(round) { send(both.floor)? } else { None };
            let meter = Meter::start();
            updates.into_iter().for_each(|update| feed.index.apply(update));
            let report = both.backend.apply(&feed.index.take_changes());
            let cost = meter.stop();
            let sent = early.map_or_else(|| send(both.floor), |sent| Ok(Some(sent)))?;
            let report = report.map_err(|error| anyhow!(error)).context(scenario)?;
            self.line(scenario, cost, &report);
            self.floor_line(scenario, cost, &sent.context("nothing was sent")?);
        }
        Ok(())
    }

    /// The floor, and how many times that a call took which was made right before or after.
    fn floor_line(&mut self, scenario: &'static str, cost: Cost, sent: &Sent) {
        let mut recorder = self.recorder(FLOOR);
        recorder.time(scenario, sent.time);
        recorder.count(scenario, Metric::Bytes, sent.bytes as u64);
        let over = cost.time.as_secs_f64() / sent.time.as_secs_f64();
        self.recorder(PORTOLAN).record(scenario, Metric::OverFloor, over);
    }

    fn line(&mut self, scenario: &'static str, cost: Cost, report: &SyncReport) {
        let mut recorder = self.recorder(PORTOLAN);
        recorder.time(scenario, cost.time);
        let operations = report.added + report.deleted;
        recorder.count(scenario, Metric::Operations, operations as u64);
        recorder.count(scenario, Metric::Bytes, report.bytes as u64);
        if let Some(allocations) = cost.allocations {
            recorder.count(scenario, Metric::Allocations, allocations);
        }
    }

    fn recorder(&mut self, arm: &'static str) -> Recorder<'_> {
        let spec = &self.load.spec;
        let size = Size { services: spec.services, endpoints: spec.endpoints };
        Recorder { figures: self.figures, size, arm, run: self.run }
    }
}

/// Who is measured, and what it is measured by.
struct Both<'a> {
    backend: &'a mut NftBackend,
    floor: &'a mut Floor,
}

/// Whether the floor comes before the agent: what follows finds warmer caches, and less free
/// memory.
fn goes_first(round: u32) -> bool {
    round.is_multiple_of(2)
}
