//! One node with one arm: the namespaces, the API server, the process, and what watches
//! them.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use portolan_apiserver::{ApiServer, Store};
use portolan_lab::{Namespace, Process, Protocol, Topology, TopologySpec};

use crate::arguments::Load;
use crate::arms::Arm;
use crate::ask::{Sent, is_healthy};
use crate::cluster::{Cluster, Frontends, Target};
use crate::observe::Changes;
use crate::process::Usage;
use crate::scratch::Scratch;

/// The pods that traffic goes between, in the last addresses of the pods' network.
pub(crate) const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 255, 0, 2);
pub(crate) const POD: Ipv4Addr = Ipv4Addr::new(10, 255, 0, 3);
pub(crate) const PORT: u16 = 8080;
/// Where the services for the traffic lead: TCP, TCP with session affinity, UDP. Each has a
/// port of its own, because IPVS loses a connection whose client had the same port for
/// another way to one endpoint a moment before.
const SERVICE_PORTS: [u16; 3] = [8081, 8082, 8083];

/// How often /healthz is asked while a start is measured.
const ASK_HEALTH_EVERY: Duration = Duration::from_millis(2);
/// How long a process may take to end on SIGTERM.
const TERMINATION: Duration = Duration::from_secs(20);
/// For how long a process is looked at to tell whether it works, and what part of that time
/// an idle one may use.
const LOOK_AT_WORK: Duration = Duration::from_millis(100);
const IDLE_PART: u32 = 20;
/// How often an incomplete kernel is listed again.
const LIST_AGAIN: Duration = Duration::from_millis(500);
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
    frontends: Frontends,
    /// Where traffic goes: TCP, TCP with session affinity, UDP.
    pub(crate) targets: [SocketAddr; 3],
    scratch: Scratch,
    patience: Duration,
}

/// How a process started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    /// From the start of the process to the last commit, if there was one.
    pub(crate) kernel: Option<Duration>,
    /// To the first 200 of /healthz, of arms that tell.
    pub(crate) ready: Option<Duration>,
    /// By how much the generation was raised, if there is one.
    pub(crate) transactions: Option<u32>,
    pub(crate) usage: Usage,
    /// By arms that tell.
    pub(crate) sent: Option<Sent>,
}

/// A node with pods to send traffic between, and nothing else.
pub(crate) fn node() -> anyhow::Result<Topology> {
    let spec = TopologySpec::default().pod(CLIENT).pod(POD);
    let spec = spec.server(POD, Protocol::Tcp, PORT).server(POD, Protocol::Udp, PORT);
    let [tcp, affinity, udp] = SERVICE_PORTS;
    let spec = spec.server(POD, Protocol::Tcp, tcp).server(POD, Protocol::Tcp, affinity);
    Ok(spec.server(POD, Protocol::Udp, udp).build()?)
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
        for ((order, (udp, affinity)), address) in (0..).zip(kinds).zip(&mut targets) {
            let endpoint = *address;
            let (found, objects) = cluster.target(order, &Target { endpoint, udp, affinity });
            server.store().put_all(objects)?;
            *address = found;
        }
        let mut frontends = cluster.frontends();
        frontends.cluster_ips += targets.len();
        Ok(Session {
            arm,
            agent: RefCell::default(),
            server,
            found_by,
            topology,
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

    /// Starts the process and waits until the kernel has everything. If it
    /// `lacks` something, there must be a transaction.
    pub(crate) fn start(&self, lacks: bool) -> anyhow::Result<Started> {
        let command = self.arm.command(&self.found_by, &self.log())?;
        let mut changes = Changes::open(self.node(), self.arm.contents)?;
        let first = changes.last();
        let health = Health::new();
        let begin = Instant::now();
        let node = self.node();
        *self.agent.borrow_mut() = Some(node.spawn(command)?);
        let (last, ready) = std::thread::scope(|scope| {
            if self.arm.tells_readiness {
                scope.spawn(|| node.run(|| health.watch()));
            }
            let waited = self.wait_complete(&mut changes, &health, begin, lacks);
            health.stop.store(true, Ordering::Relaxed);
            waited
        })?;
        let since = |at: Instant| at.saturating_duration_since(begin);
        Ok(Started {
            kernel: last.map(since),
            ready: ready.map(since),
            transactions: changes.transactions_since(first),
            usage: self.usage()?,
            sent: self.sent()?,
        })
    }

    /// When the last commit was, and when the arm said that it is ready.
    fn wait_complete(
        &self,
        kernel: &mut Changes,
        health: &Health,
        begin: Instant,
        lacks: bool,
    ) -> anyhow::Result<(Option<Instant>, Option<Instant>)> {
        let mut last = None;
        let mut list_at = begin;
        loop {
            last = kernel.next()?.or(last);
            let now = Instant::now();
            let ready = health.ready();
            let told = !self.arm.tells_readiness || ready.is_some();
            let quiet = now - last.or(ready).unwrap_or(begin) >= self.arm.quiet;
            if told && quiet && (last.is_some() || !lacks) && now >= list_at {
                // Who says nothing may have begun with something else, see `observe`.
                let works = !self.arm.tells_readiness && self.works()?;
                if !works && self.is_complete()? {
                    return Ok((last, ready));
                }
                list_at = Instant::now() + LIST_AGAIN;
            }
            self.is_alive()?;
            if now - begin > self.patience {
                bail!(
                    "{} has not everything in the kernel after {} s\n{}",
                    self.arm.name,
                    self.patience.as_secs(),
                    self.output()
                );
            }
        }
    }

    fn is_complete(&self) -> anyhow::Result<bool> {
        self.arm.contents.are_complete(self.node(), self.frontends, self.arm.written)
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

/// When /healthz said 200 first.
struct Health {
    ready: Arc<std::sync::OnceLock<Instant>>,
    stop: AtomicBool,
}

impl Health {
    fn new() -> Health {
        Health { ready: Arc::default(), stop: AtomicBool::new(false) }
    }

    fn ready(&self) -> Option<Instant> {
        self.ready.get().copied()
    }

    fn watch(&self) {
        while !self.stop.load(Ordering::Relaxed) && self.ready.get().is_none() {
            if is_healthy() {
                let _ = self.ready.set(Instant::now());
            }
            std::thread::sleep(ASK_HEALTH_EVERY);
        }
    }
}
