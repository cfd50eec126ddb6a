//! Virtual servers, the register of those that are ours, and the paths to them, kept as
//! plans say.

mod drain;
mod observe;
mod scheduling;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portolan_core::backend::NodePortAddresses;
use portolan_core::{Change, Draining, Environment, ObjectName, ServicePlan, SyncReport};
use portolan_netlink::Refusal;
use portolan_netlink::ipvs::{Ipvs, Operation, ServerKey, Timeouts};
use tracing::warn;

use crate::error::IpvsError;
use crate::options::IpvsOptions;
use crate::paths::Paths;
use crate::registry::Registry;
use crate::schedulers::{Scheduler, Schedulers};
use crate::servers::{Servers, Steps};
use crate::sysctl;
use crate::wanted::{Settings, Wanted, wanted};

/// Keeps IPVS as plans say. Between what is done before the table leads clients there and
/// what is done afterwards the caller changes the table.
#[derive(Debug)]
pub(crate) struct Manager {
    ipvs: Ipvs,
    registry: Registry,
    paths: Paths,
    servers: Servers,
    schedulers: Schedulers,
    settings: Settings,
    plans: HashMap<ObjectName, Arc<ServicePlan>>,
    drain_for: Duration,
    timeouts: Timeouts,
    draining: Option<Draining>,
    /// What is to be done once the table leads nobody there.
    afterwards: Vec<Operation>,
    /// The kernel refused something, so it is not as we know it.
    incomplete: bool,
    /// New connections go elsewhere, and not all destinations know yet.
    drains: bool,
}

impl Manager {
    /// Opens the conversations; changes nothing.
    pub(crate) fn open(options: &IpvsOptions) -> Result<Manager, IpvsError> {
        let scheduler = Scheduler::of_node(&options.scheduler);
        Ok(Manager {
            ipvs: Ipvs::open()?,
            registry: Registry::open(&options.registry)?,
            paths: Paths::of(options)?,
            servers: Servers::default(),
            schedulers: Schedulers::new(scheduler.clone()),
            settings: Settings { scheduler, ..Settings::default() },
            plans: HashMap::new(),
            drain_for: options.drain_for,
            timeouts: options.timeouts,
            draining: None,
            afterwards: Vec::new(),
            incomplete: false,
            drains: false,
        })
    }

    /// Reads what there is, and adds all that these plans need.
    pub(crate) fn converge(
        &mut self,
        plans: &[Arc<ServicePlan>],
        environment: &Environment,
    ) -> Result<SyncReport, IpvsError> {
        sysctl::set()?;
        if self.timeouts != Timeouts::default() {
            self.ipvs.set_timeouts(self.timeouts)?;
        }
        self.observe()?;
        self.schedulers.try_again();
        self.drains = false;
        self.settings.node_ports = node_ports(environment);
        self.plans = plans.iter().map(|plan| (plan.name.clone(), Arc::clone(plan))).collect();
        for plan in plans {
            self.claim(plan);
        }
        self.tell_of_others();
        self.paths.set_networks(&environment.service_cidrs);
        let keys = self.servers.keys();
        let report = self.settle(keys)?;
        self.paths.lead_all()?;
        Ok(report)
    }

    fn tell_of_others(&self) {
        let mut of_others = self.servers.wanted_of_others();
        if let Some(first) = of_others.next() {
            warn!(
                "virtual server {first} and {} others are not in the table of those that Portolan \
                 made, and are left alone: connections to them go where they say. If no other \
                 program made them, delete them (`ipvsadm -D`)",
                of_others.count()
            );
        }
    }

    /// Adds what changed plans need.
    pub(crate) fn change(&mut self, changes: &[Change]) -> Result<SyncReport, IpvsError> {
        let mut keys = BTreeSet::new();
        for change in changes {
            if let Some(old) = self.plans.remove(&change.service) {
                keys.extend(self.withdraw(&old));
            }
            if let Some(new) = &change.new {
                keys.extend(self.claim(new));
                self.plans.insert(change.service.clone(), Arc::clone(new));
            }
        }
        self.settle(keys)
    }

    /// Adds what another environment needs.
    pub(crate) fn adapt(&mut self, environment: &Environment) -> Result<SyncReport, IpvsError> {
        let node_ports = node_ports(environment);
        let mut keys = BTreeSet::new();
        if node_ports != self.settings.node_ports {
            let plans: Vec<_> = self.plans.values().cloned().collect();
            plans.iter().for_each(|plan| keys.extend(self.withdraw(plan)));
            self.settings.node_ports = node_ports;
            plans.iter().for_each(|plan| keys.extend(self.claim(plan)));
        }
        let report = self.settle(keys)?;
        if self.paths.set_networks(&environment.service_cidrs) {
            self.paths.lead_all()?;
            self.paths.prune()?;
        }
        Ok(report)
    }

    fn claim(&mut self, plan: &ServicePlan) -> BTreeSet<ServerKey> {
        let mut keys = BTreeSet::new();
        let servers = &mut self.servers;
        wanted(plan, &self.settings, &mut |wanted: Wanted| {
            keys.insert(wanted.server.key);
            servers.claim(&plan.name, wanted);
        });
        keys
    }

    fn withdraw(&mut self, plan: &ServicePlan) -> BTreeSet<ServerKey> {
        let mut keys = BTreeSet::new();
        let servers = &mut self.servers;
        wanted(plan, &self.settings, &mut |wanted: Wanted| {
            keys.insert(wanted.server.key);
            servers.withdraw(&plan.name, &wanted);
        });
        keys
    }

    /// Does for these servers what has to be done before the table leads clients there, with
    /// schedulers of which it is known whether the kernel has them.
    fn settle_all(
        &mut self,
        keys: impl IntoIterator<Item = ServerKey>,
    ) -> Result<SyncReport, IpvsError> {
        let (start, sent_before) = (Instant::now(), self.bytes_sent());
        let mut steps = Steps::default();
        for key in keys {
            self.servers.settle(key, &self.schedulers, start, &mut steps);
        }
        let Steps { register, servers, destinations, afterwards } = steps;
        self.afterwards.extend(afterwards);
        self.registry.add(&register)?;
        let ips: Vec<IpAddr> = register.iter().filter_map(|(key, _)| key.ip()).collect();
        ips.iter().for_each(|ip| self.paths.use_address(*ip));
        self.paths.lead(ips.into_iter())?;
        let refused = self.execute(&servers)?;
        // Destinations of a server that is not ours are none of our business.
        let destinations: Vec<Operation> =
            destinations.into_iter().filter(|operation| !is_of(operation, &refused)).collect();
        self.execute(&destinations)?;
        let sent = SyncReport {
            added: register.len() + servers.len() + destinations.len(),
            transactions: usize::from(!register.is_empty()) + servers.len() + destinations.len(),
            ..SyncReport::default()
        };
        Ok(self.report(sent, start, sent_before))
    }

    /// Does what has to be done once the table leads nobody there.
    pub(crate) fn finish(&mut self) -> Result<SyncReport, IpvsError> {
        let (start, sent_before) = (Instant::now(), self.bytes_sent());
        let operations = self.afterwards.clone();
        self.execute(&operations)?;
        self.afterwards.clear();
        let gone: Vec<ServerKey> = operations.iter().filter_map(deleted_server).collect();
        self.let_go(&gone)?;
        let sent = SyncReport {
            deleted: operations.len(),
            transactions: operations.len(),
            ..SyncReport::default()
        };
        Ok(self.report(sent, start, sent_before))
    }

    /// Bytes of all that was sent so far to change something.
    fn bytes_sent(&self) -> u64 {
        self.ipvs.bytes_sent() + self.registry.bytes_sent() + self.paths.bytes_sent()
    }

    /// Completes the report of what was sent since then.
    fn report(&self, sent: SyncReport, start: Instant, sent_before: u64) -> SyncReport {
        let bytes = self.bytes_sent().saturating_sub(sent_before);
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        // Nothing sent is nothing to report.
        let kernel = if sent.transactions > 0 { start.elapsed() } else { Duration::ZERO };
        SyncReport { bytes, kernel, ..sent }
    }

    /// Executes and returns the servers that the kernel refused to add or change. What is
    /// gone already is as good as deleted; what is refused otherwise concerns one service.
    fn execute(&mut self, operations: &[Operation]) -> Result<BTreeSet<ServerKey>, IpvsError> {
        let mut refused = BTreeSet::new();
        if operations.is_empty() {
            return Ok(refused);
        }
        for failure in self.ipvs.execute(operations)? {
            let Some(operation) = operations.get(failure.index) else { continue };
            if is_gone(operation, &failure.refusal) {
                continue;
            }
            match operation {
                Operation::AddServer(server) if failure.refusal.is_duplicate() => {
                    warn!(
                        "virtual server {} was made by another program and is left alone: \
                         connections to it go where that program says",
                        server.key
                    );
                    self.disown(server.key)?;
                    self.servers.is_of_others(server.key);
                    refused.insert(server.key);
                }
                Operation::AddServer(server) | Operation::ChangeServer(server)
                    if failure.refusal.lacks_scheduler() =>
                {
                    refused.extend(self.lacks_scheduler(operation, server)?);
                }
                operation => {
                    warn!("{}", failure.refusal);
                    self.incomplete = true;
                    self.servers.not_done(operation);
                    if let Operation::AddServer(server) = operation {
                        self.disown(server.key)?;
                        refused.insert(server.key);
                    }
                }
            }
        }
        Ok(refused)
    }

    /// A server was registered as ours, but has not been added.
    fn disown(&mut self, key: ServerKey) -> Result<(), IpvsError> {
        key.ip().iter().for_each(|ip| self.paths.leave_address(*ip));
        Ok(self.registry.delete(&[key])?)
    }
}

fn deleted_server(operation: &Operation) -> Option<ServerKey> {
    match operation {
        Operation::DeleteServer(key) => Some(*key),
        _ => None,
    }
}

fn is_gone(operation: &Operation, refusal: &Refusal) -> bool {
    let deletes =
        matches!(operation, Operation::DeleteServer(_) | Operation::DeleteDestination(..));
    deletes && refusal.is_missing()
}

/// Whether an operation is about the destinations of one of these servers.
fn is_of(operation: &Operation, servers: &BTreeSet<ServerKey>) -> bool {
    match operation {
        Operation::AddDestination(key, _) | Operation::ChangeDestination(key, _) => {
            servers.contains(key)
        }
        _ => false,
    }
}

fn node_ports(environment: &Environment) -> Vec<IpAddr> {
    let mut addresses = Vec::new();
    for selection in [&environment.node_ports_v4, &environment.node_ports_v6] {
        match selection {
            NodePortAddresses::Listed(listed) => addresses.extend(listed.iter().copied()),
            NodePortAddresses::Any => {}
        }
    }
    addresses.sort_unstable();
    addresses
}
