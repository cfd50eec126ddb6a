//! The lines of the table.

use anyhow::{Context as _, anyhow};
use portolan_core::{Backend as _, SyncReport, Update};
use portolan_netlink::nftables::{Batch, Connection};
use portolan_nft::{NftBackend, NftOptions, cleanup, first_transaction};

use crate::Arguments;
use crate::cluster::{Cluster, environment};
use crate::measure::{Times, ratio, readable};

/// Prints the head of the table.
pub(crate) fn headline() {
    println!(
        "{:<34} {:>9} {:>10} {:>10} {:>10} {:>7}  sent",
        "", "services", "median", "p99", "floor", "ratio"
    );
}

/// Measures one size.
pub(crate) fn run(services: u32, arguments: &Arguments) -> anyhow::Result<()> {
    let mut cluster = Cluster::new(services, arguments.endpoints);
    let mut backend = full(&cluster, services, arguments)?;
    warm(&cluster, services, arguments)?;
    let rounds = arguments.changes;
    let replace: Vec<Update> = (0..rounds).map(|round| cluster.replace_one(round)).collect();
    changes("one endpoint replaced", &mut cluster, &mut backend, services, replace)?;
    let scale = (0..rounds).flat_map(|it| [cluster.scale_up(it), cluster.scale_down(it)]);
    let scale: Vec<Update> = scale.collect();
    changes("scaled up or down by one", &mut cluster, &mut backend, services, scale)?;
    cleanup(&NftOptions::default().table)?;
    Ok(())
}

/// From plans to a kernel that has none of them, in turn with the bare transaction.
fn full(cluster: &Cluster, services: u32, arguments: &Arguments) -> anyhow::Result<NftBackend> {
    let (options, environment, plans) = (NftOptions::default(), environment(), cluster.plans());
    let (mut times, mut floor) = (Times::default(), Times::default());
    let mut last = None;
    for _ in 0..arguments.runs.max(1) {
        cleanup(&options.table)?;
        let mut connection = Connection::open()?;
        let mut batch: Batch = first_transaction(&plans, &environment, &options);
        floor.time(|| connection.commit(&mut batch))?;
        cleanup(&options.table)?;
        let mut backend = NftBackend::open(options.clone())?;
        let report = times
            .time(|| backend.converge(&mut plans.iter(), &environment))
            .map_err(|error| anyhow!(error))?;
        last = Some((backend, report));
    }
    let (backend, report) = last.context("no run")?;
    line("full synchronisation", services, &times, Some(&floor), &report);
    Ok(backend)
}

/// A second start on a kernel that has everything.
fn warm(cluster: &Cluster, services: u32, arguments: &Arguments) -> anyhow::Result<()> {
    let (plans, environment) = (cluster.plans(), environment());
    let mut times = Times::default();
    let mut last = SyncReport::default();
    for _ in 0..arguments.runs.max(1) {
        let mut backend = NftBackend::open(NftOptions::default())?;
        last = times
            .time(|| backend.converge(&mut plans.iter(), &environment))
            .map_err(|error| anyhow!(error))?;
    }
    line("restart, nothing changed", services, &times, None, &last);
    Ok(())
}

/// From an event to the committed change.
fn changes(
    what: &str,
    cluster: &mut Cluster,
    backend: &mut NftBackend,
    services: u32,
    updates: Vec<Update>,
) -> anyhow::Result<()> {
    let mut times = Times::default();
    let mut kernel = Times::default();
    let mut last = SyncReport::default();
    for update in updates {
        last = times
            .time(|| {
                cluster.index.apply(update);
                backend.apply(&cluster.index.take_changes())
            })
            .map_err(|error| anyhow!(error))?;
        kernel.record(last.kernel);
    }
    line(what, services, &times, Some(&kernel), &last);
    Ok(())
}

fn line(what: &str, services: u32, times: &Times, floor: Option<&Times>, last: &SyncReport) {
    let floor = floor.map(Times::median).unwrap_or_default();
    println!(
        "{:<34} {:>9} {:>10} {:>10} {:>10} {:>7}  {} operations, {} bytes",
        what,
        services,
        readable(times.median()),
        readable(times.quantile(99)),
        readable(floor),
        ratio(times.median(), floor),
        last.added + last.deleted,
        last.bytes
    );
}
