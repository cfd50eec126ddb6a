//! Everything that the demo is played with.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use portolan_core::Family;
use portolan_nft::{NftOptions, inspect};
use tempfile::TempDir;

use super::agent::Agent;
use super::hosts::{Pod, Service, WEB};
use super::interrupt::Interrupt;
use super::manifests::Manifests;
use super::network::Network;
use super::report::{Finding, Report};

/// What has not happened by then will not happen. Nearly everything takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// The network, the agent, its files and the report. All but the report is gone when this
/// is dropped.
pub(super) struct Stage {
    // In this order, so that nothing is taken from the agent while it runs.
    pub(super) agent: Agent,
    pub(super) network: Network,
    pub(super) manifests: Manifests,
    pub(super) directory: TempDir,
    pub(super) report: Report,
    pub(super) interrupt: Interrupt,
    /// The pods of `web` as they are now.
    pub(super) web_pods: Vec<Pod>,
}

impl Stage {
    /// Builds the network and writes the files. The agent is not started yet.
    pub(super) fn build(report: Report, interrupt: Interrupt) -> anyhow::Result<Stage> {
        let directory = tempfile::Builder::new()
            .prefix("portolan-demo-")
            .tempdir()
            .context("cannot make a temporary directory")?;
        let manifests = Manifests::write(directory.path().join("cluster"))?;
        Ok(Stage {
            agent: Agent::new(manifests.directory(), directory.path()),
            network: Network::build()?,
            manifests,
            directory,
            report,
            interrupt,
            web_pods: WEB.pods.to_vec(),
        })
    }

    /// Puts a finding on the report.
    pub(super) fn found(&mut self, finding: &Finding) -> anyhow::Result<()> {
        self.report.finding(finding).context("cannot write to standard output")
    }

    /// Starts the agent and waits until its health server says that all is in the kernel.
    pub(super) fn start_agent(&mut self) -> anyhow::Result<()> {
        let Stage { agent, network, interrupt, .. } = self;
        agent.start(network.read().node())?;
        wait(interrupt, "/healthz of the agent does not answer 200", || {
            agent.is_healthy(network.read().node())
        })
    }

    /// Waits until the kernel sends everyone who calls `service` to these pods.
    pub(super) fn await_kernel(&self, service: &Service, pods: &[Pod]) -> anyhow::Result<()> {
        let complaint = format!("the kernel does not serve {} as the files say", service.name);
        wait(&self.interrupt, &complaint, || kernel_serves(&self.network, service, pods))
    }

    /// Waits until this holds for what the agent says about itself.
    pub(super) fn await_agent(
        &self,
        complaint: &str,
        holds: impl Fn(&portolan_agent::control::Dump) -> bool,
    ) -> anyhow::Result<portolan_agent::control::Dump> {
        let mut last = None;
        wait(&self.interrupt, complaint, || {
            let dump = self.agent.dump()?;
            let done = holds(&dump);
            last = Some(dump);
            Ok(done)
        })?;
        last.context("the agent said nothing")
    }
}

/// Looks again and again, until `done` says so or fails.
pub(super) fn wait(
    interrupt: &Interrupt,
    complaint: &str,
    mut done: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        interrupt.check()?;
        if done()? {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!("{complaint} after {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Whether every frontend of the service, in both families, leads to exactly these pods.
fn kernel_serves(network: &Network, service: &Service, pods: &[Pod]) -> anyhow::Result<bool> {
    let table = NftOptions::default().table;
    let kernel = network.read().node().run(|| inspect(&table))?;
    let frontends = kernel.map(|kernel| kernel.frontends).unwrap_or_default();
    let leads_there = |family: Family, address, port| {
        let mut wanted: Vec<_> = pods.iter().map(|pod| pod.address(family)).collect();
        wanted.sort_unstable();
        frontends.iter().any(|frontend| {
            (frontend.family, frontend.address, frontend.port) == (family, address, port)
                && frontend.endpoints.iter().map(|endpoint| endpoint.ip).eq(wanted.iter().copied())
        })
    };
    Ok(Family::BOTH.into_iter().all(|family| {
        leads_there(family, Some(service.cluster_ip(family)), service.port)
            && service.node_port.is_none_or(|port| leads_there(family, None, port))
    }))
}
