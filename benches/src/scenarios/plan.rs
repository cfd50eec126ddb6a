//! From plans to the kernel, in this process: what the backend costs by itself, beside the
//! floor. This is where DESIGN's "from plan to committed" is measured.

use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use portolan_core::{Backend as _, SyncReport, Update};
use portolan_netlink::nftables::Connection;
use portolan_nft::{NftBackend, NftOptions, cleanup, first_transaction};

use super::names::{PLAN_FULL, PLAN_REPLACED, PLAN_RESTART, PLAN_SCALED};
use crate::allocations;
use crate::arguments::Load;
use crate::arms::{FLOOR, PORTOLAN};
use crate::cluster::{Cluster, Edit, Spec};
use crate::feed::{Feed, environment};
use crate::figures::{Figures, Metric, Recorder, Size};
use crate::progress::Progress;

/// One run at one size.
pub(crate) struct Plan<'a> {
    pub(crate) load: &'a Load,
    pub(crate) run: u32,
    pub(crate) figures: &'a mut Figures,
    pub(crate) progress: &'a Progress,
}

/// Services whose bytes are room for what is not counted.
const SPARE: u32 = 50;

/// Sends the first transaction of a cluster as the agent would.
///
/// # Errors
///
/// If it is larger than this process may send. The agent would say so in its log and try
/// again, and would be waited for in vain.
pub(crate) fn fits(load: &Load) -> anyhow::Result<()> {
    // Those for the traffic, and what the agent knows of its node.
    let spec = Spec { services: load.spec.services + SPARE, ..load.spec.clone() };
    let feed = Feed::new(&Cluster::new(&spec))?;
    let options = NftOptions::default();
    let mut batch = first_transaction(&feed.plans(), &environment()?, &options);
    let sent = Connection::open()?.commit(&mut batch);
    let services = load.spec.services;
    sent.with_context(|| format!("{services} services cannot be measured by this user"))?;
    cleanup(&options.table)?;
    Ok(())
}

/// What is measured of one call.
struct Meter {
    begin: Instant,
    allocations: Option<u64>,
}

/// What one call cost.
#[derive(Clone, Copy)]
struct Cost {
    time: Duration,
    /// Of this thread, which is the only one that works meanwhile; nothing if nobody counts.
    allocations: Option<u64>,
}

impl Meter {
    fn start() -> Meter {
        Meter { allocations: allocations::so_far(), begin: Instant::now() }
    }

    fn stop(self) -> Cost {
        let time = self.begin.elapsed();
        Cost { time, allocations: allocations::since(self.allocations) }
    }
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
        let mut backend = self.full(&feed)?;
        self.restart(&feed)?;
        let changes = self.load.changes;
        let replaced: Vec<Edit> = (0..changes).map(|round| cluster.replace_next(round)).collect();
        self.changes(PLAN_REPLACED, &mut feed, &mut backend, &replaced)?;
        let mut scaled = Vec::new();
        // Up and down belong together.
        for service in
            (0..changes.div_ceil(2)).map(|round| cluster.spread(round)).collect::<Vec<_>>()
        {
            scaled.extend([cluster.scale_up(service), cluster.scale_down(service)]);
        }
        self.changes(PLAN_SCALED, &mut feed, &mut backend, &scaled)?;
        cleanup(&NftOptions::default().table)?;
        Ok(())
    }

    /// To a kernel that has nothing, in turn with the bare transaction.
    fn full(&mut self, feed: &Feed) -> anyhow::Result<NftBackend> {
        let (options, environment, plans) = (NftOptions::default(), environment()?, feed.plans());
        cleanup(&options.table)?;
        let mut connection = Connection::open()?;
        let mut batch = first_transaction(&plans, &environment, &options);
        let begin = Instant::now();
        let receipt = connection.commit(&mut batch)?;
        self.recorder(FLOOR).time(PLAN_FULL, begin.elapsed());
        self.recorder(FLOOR).count(PLAN_FULL, Metric::Bytes, receipt.bytes as u64);
        drop(batch);
        cleanup(&options.table)?;
        let mut backend = NftBackend::open(options)?;
        let meter = Meter::start();
        let report = backend.converge(&mut plans.iter(), &environment);
        let cost = meter.stop();
        self.line(PLAN_FULL, cost, &report.map_err(|error| anyhow!(error))?);
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

    /// From the event, read already, to the commit. The floor is the kernel's part of it.
    fn changes(
        &mut self,
        scenario: &'static str,
        feed: &mut Feed,
        backend: &mut NftBackend,
        edits: &[Edit],
    ) -> anyhow::Result<()> {
        let updates: anyhow::Result<Vec<Vec<Update>>> =
            edits.iter().map(|edit| feed.updates(edit)).collect();
        for updates in updates? {
            let meter = Meter::start();
            updates.into_iter().for_each(|update| feed.index.apply(update));
            let report = backend.apply(&feed.index.take_changes());
            let cost = meter.stop();
            let report = report.map_err(|error| anyhow!(error)).context(scenario)?;
            self.line(scenario, cost, &report);
            self.recorder(FLOOR).time(scenario, report.kernel);
        }
        Ok(())
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
