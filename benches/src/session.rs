//! One node with one arm: the namespaces, the API server, the process, and what watches
//! them.

mod start;

use std::cell::RefCell;
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use portolan_apiserver::{ApiServer, Store};
use portolan_lab::{Namespace, Process, Protocol, Topology, TopologySpec};

pub(crate) use self::start::Started;
use crate::arguments::Load;
use crate::arms::Arm;
use crate::ask::Sent;
use crate::cluster::{Cluster, Frontends, Target};
use crate::observe::Endpoints;
use crate::process::Usage;
use crate::processors::{of_traffic, on};
use crate::scratch::Scratch;

/// The pods that traffic goes between, in the last addresses of the pods' network.
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 255, 0, 2);
pub(crate) const POD: Ipv4Addr = Ipv4Addr::new(10, 255, 0, 3);
pub(crate) const PORT: u16 = 8080;
/// Where the services for the traffic lead: TCP, TCP with session affinity, UDP. Each has a
/// port of its own, because IPVS loses a connection whose client had the same port for
/// another way to one endpoint a moment before.
const SERVICE_PORTS: [u16; 3] = [8081, 8082, 8083];

/// How long a process may take to end on SIGTERM.
const TERMINATION: Duration = Duration::from_secs(20);
/// For how long a process is looked at to tell whether it works, and what part of that time
/// an idle one may use.
const LOOK_AT_WORK: Duration = Duration::from_millis(100);
const IDLE_PART: u32 = 20;
/// Lines of its log that tell why an arm failed, from its beginning and from its end: some
/// programs print their reason first and then every thread that they have.
const LOG_LINES: usize = 8;

/// A node that an arm serves.
pub(crate) struct Session<'a> {
    pub(crate) arm: &'a Arm,
    // The process ends before the namespaces that it is in.
    agent: RefCell<Option<Process>>,
    pub(crate) server: ApiServer,
    /// The arguments with which the process finds it.
    found_by: [OsString; 2],
    pub(crate) topology: Topology,
    /// Of the targets of traffic.
    own: Frontends,
    /// Of those and the cluster as it was at first. Each scenario leaves as many endpoints.
    frontends: Frontends,
    /// Where traffic goes: TCP, TCP with session affinity, UDP.
    pub(crate) targets: [SocketAddr; 3],
    scratch: Scratch,
    patience: Duration,
}

/// A node with pods to send traffic between, and nothing else. Its servers have one processor.
pub(crate) fn node() -> anyhow::Result<Topology> {
    let spec = TopologySpec::default().pod(CLIENT).pod(POD);
    let spec = spec.server(POD, Protocol::Tcp, PORT).server(POD, Protocol::Udp, PORT);
    let [tcp, affinity, udp] = SERVICE_PORTS;
    let spec = spec.server(POD, Protocol::Tcp, tcp).server(POD, Protocol::Tcp, affinity);
    let spec = spec.server(POD, Protocol::Udp, udp);
    Ok(on(of_traffic()?, || spec.build())??)
}

impl<'a> Session<'a> {
    /// The node with an API server that has the cluster; nothing serves it yet.
    pub(crate) fn new(arm: &'a Arm, cluster: &Cluster, load: &Load) -> anyhow::Result<Session<'a>> {
        let topology = node()?;
        let scratch = Scratch::new()?;
        let serve = || load.transport.serve(scratch.path());
        let (server, found_by) = topology.node().run(serve)?;
        server.store().put_all(cluster.objects())?;
        let kinds = [(false, false), (false, true), (true, false)];
        let mut targets = SERVICE_PORTS.map(|port| SocketAddr::new(IpAddr::from(POD), port));
        let mut own = Frontends::default();
        for ((order, (udp, affinity)), address) in (0..).zip(kinds).zip(&mut targets) {
            let target = Target { endpoint: *address, udp, affinity };
            let (found, objects) = cluster.target(order, &target);
            server.store().put_all(objects)?;
            own = own.and(cluster.frontends_of_target(order, &target));
            *address = found;
        }
        let frontends = cluster.frontends(&HashSet::new()).and(own);
        Ok(Session {
            arm,
            agent: RefCell::default(),
            server,
            found_by,
            topology,
            own,
            frontends,
            targets,
            scratch,
            patience: load.patience,
        })
    }

    pub(crate) fn node(&self) -> &Namespace {
        self.topology.node()
    }

    pub(crate) fn store(&self) -> &Store {
        self.server.store()
    }

    /// Compares the endpoints in the kernel with the cluster's, some services left out.
    ///
    /// # Errors
    ///
    /// If they differ. Of an arm whose maps are not known, nothing is compared.
    pub(crate) fn verify(
        &self,
        after: &str,
        cluster: &Cluster,
        without: &HashSet<u32>,
    ) -> anyhow::Result<()> {
        let Some(found) = self.arm.contents.endpoints(self.node())? else { return Ok(()) };
        let elements = cluster.frontends(without).and(self.own).endpoints;
        let mut addresses = cluster.addresses(without);
        addresses.insert(POD.into());
        match found.unlike(&Endpoints { addresses, elements }) {
            Some(fault) => bail!("after {after:?} {fault}\n{}", self.output()),
            None => Ok(()),
        }
    }

    /// Ends the process and leaves the kernel as it is.
    pub(crate) fn stop(&self) -> anyhow::Result<()> {
        if let Some(agent) = self.agent.take() {
            agent.terminate(TERMINATION)?;
        }
        Ok(())
    }

    /// What the process used so far.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        let agent = self.agent.borrow();
        let agent = agent.as_ref().context("nothing runs")?;
        Usage::of(agent.id()).with_context(|| format!("{}\n{}", self.arm.name, self.output()))
    }

    /// The processor time of its threads so far, at little cost for who asks.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        let agent = self.agent.borrow();
        crate::process::cpu(agent.as_ref().context("nothing runs")?.id())
    }

    /// Whether the process has something to do, or a program that it executed.
    pub(crate) fn works(&self) -> anyhow::Result<bool> {
        let before = self.usage()?;
        std::thread::sleep(LOOK_AT_WORK);
        let used = self.usage()?.since(&before).cpu;
        Ok(used > LOOK_AT_WORK / IDLE_PART || self.has_children()?)
    }

    fn has_children(&self) -> anyhow::Result<bool> {
        let agent = self.agent.borrow();
        let agent = agent.as_ref().context("nothing runs")?;
        crate::process::has_children(agent.id())
    }

    /// What the process has sent to the kernel so far, if it is one that tells.
    pub(crate) fn sent(&self) -> anyhow::Result<Option<Sent>> {
        let told = self.arm.tells_what_it_sends.then(|| self.node().run(Sent::ask));
        told.transpose().with_context(|| self.output())
    }

    fn is_alive(&self) -> anyhow::Result<()> {
        let mut agent = self.agent.borrow_mut();
        let Some(agent) = agent.as_mut() else { return Ok(()) };
        match agent.child().try_wait()? {
            None => Ok(()),
            Some(status) => {
                bail!("{} ended by itself ({status})\n{}", self.arm.name, self.output())
            }
        }
    }

    fn log(&self) -> PathBuf {
        self.scratch.path().join("log")
    }

    /// What the process printed, without the middle.
    pub(crate) fn output(&self) -> String {
        let text = fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let middle = LOG_LINES..lines.len().saturating_sub(LOG_LINES).max(LOG_LINES);
        let kept = lines.iter().enumerate().filter(|(place, _)| !middle.contains(place));
        kept.map(|(_, line)| *line).collect::<Vec<_>>().join("\n")
    }
}
