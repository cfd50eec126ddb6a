//! Virtual servers, the register of those that are ours, and the paths to them, kept as
//! plans say.

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
use crate::servers::{Known, Servers, Steps};
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
    settings: Settings,
    plans: HashMap<ObjectName, Arc<ServicePlan>>,
    drain_for: Duration,
    timeouts: Timeouts,
    draining: Option<Draining>,
    /// What is to be done once the table leads nobody there.
    afterwards: Vec<Operation>,
}

impl Manager {
    /// Opens the conversations; changes nothing.
    pub(crate) fn open(options: &IpvsOptions) -> Result<Manager, IpvsError> {
        let mark = 1 << (options.mark_bit & 31);
        Ok(Manager {
            ipvs: Ipvs::open()?,
            registry: Registry::open(&options.registry)?,
            paths: Paths::open(mark, options.rule_priority, options.route_table)?,
            servers: Servers::default(),
            settings: Settings { scheduler: options.scheduler.clone(), ..Settings::default() },
            plans: HashMap::new(),
            drain_for: options.drain_for,
            timeouts: options.timeouts,
            draining: None,
            afterwards: Vec::new(),
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
        self.registry.create()?;
        self.observe()?;
        self.settings.node_ports = node_ports(environment);
        self.plans = plans.iter().map(|plan| (plan.name.clone(), Arc::clone(plan))).collect();
        for plan in plans {
            self.claim(plan);
        }
        let addresses: Vec<IpAddr> = self.servers.known().filter_map(|(key, _)| key.ip()).collect();
        self.paths.reset(&environment.service_cidrs, addresses.into_iter());
        let keys = self.servers.keys();
        let report = self.settle(keys)?;
        self.paths.lead_all()?;
        Ok(report)
    }

    /// Reads what there is.
    pub(crate) fn observe(&mut self) -> Result<(), IpvsError> {
        self.paths.create()?;
        let registered = self.registry.servers()?;
        let mut ours = Vec::new();
        let mut foreign = BTreeSet::new();
        for server in self.ipvs.servers()? {
            if registered.contains(&server.key) {
                let destinations = self.ipvs.destinations(&server.key)?;
                ours.push((server, destinations));
            } else {
                foreign.insert(server.key);
            }
        }
        self.servers = Servers::observed(ours, foreign, Instant::now());
        // What was left to do is worked out anew: a destination may be wanted again.
        self.afterwards.clear();
        let gone: Vec<ServerKey> =
            registered.into_iter().filter(|key| !self.servers.has(key)).collect();
        self.registry.delete(&gone)?;
        Ok(())
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
        let addresses: Vec<IpAddr> = self.servers.known().filter_map(|(key, _)| key.ip()).collect();
        self.paths.reset(&environment.service_cidrs, addresses.into_iter());
        let report = self.settle(keys)?;
        self.paths.lead_all()?;
        self.paths.prune()?;
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

    /// Does for these servers what has to be done before the table leads clients there.
    fn settle(&mut self, keys: BTreeSet<ServerKey>) -> Result<SyncReport, IpvsError> {
        let start = Instant::now();
        let mut steps = Steps::default();
        for key in keys {
            self.servers.settle(key, start, &mut steps);
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
        let sent = servers.len() + destinations.len();
        Ok(SyncReport {
            added: sent,
            transactions: sent,
            kernel: start.elapsed(),
            ..SyncReport::default()
        })
    }

    /// Does what has to be done once the table leads nobody there.
    pub(crate) fn finish(&mut self) -> Result<SyncReport, IpvsError> {
        let start = Instant::now();
        let operations = std::mem::take(&mut self.afterwards);
        self.execute(&operations)?;
        Ok(SyncReport {
            deleted: operations.len(),
            transactions: operations.len(),
            kernel: start.elapsed(),
            ..SyncReport::default()
        })
    }

    /// Whether the kernel has every virtual server that clients are to be led to.
    pub(crate) fn verify(&mut self) -> Result<(), IpvsError> {
        let there: BTreeSet<ServerKey> =
            self.ipvs.servers()?.into_iter().map(|server| server.key).collect();
        let missing: Vec<&ServerKey> =
            self.servers.wanted_keys().filter(|key| !there.contains(key)).collect();
        match missing.first() {
            None => Ok(()),
            Some(first) => {
                Err(IpvsError::Incomplete { missing: missing.len(), example: first.to_string() })
            }
        }
    }

    /// Whether the kernel has the virtual servers and the paths that we know, as we know them.
    pub(crate) fn is_undisturbed(&mut self) -> Result<bool, IpvsError> {
        let there: HashMap<ServerKey, _> =
            self.ipvs.servers()?.into_iter().map(|server| (server.key, server)).collect();
        let is_known = |(key, known): (&ServerKey, &Known)| there.get(key) == Some(&known.server);
        Ok(self.servers.known().all(is_known) && self.paths.is_undisturbed()?)
    }

    /// New connections go elsewhere; those that there are may stay until they end.
    pub(crate) fn drain_all(&mut self) -> Result<(), IpvsError> {
        self.plans.clear();
        self.afterwards.clear();
        let mut operations = Vec::new();
        self.servers.drain_all(Instant::now(), &mut operations);
        self.execute(&operations)?;
        Ok(())
    }

    /// Deletes what nobody uses any more, or has waited for too long. Asks the kernel only
    /// for servers that wait.
    pub(crate) fn release(&mut self) -> Result<(), IpvsError> {
        let deadline = Instant::now().checked_sub(self.drain_for);
        let mut operations = Vec::new();
        let mut gone = Vec::new();
        let mut draining = Draining { backend: "ipvs".to_owned(), ..Draining::default() };
        for key in self.servers.draining().collect::<Vec<_>>() {
            let states = self.ipvs.destinations(&key)?;
            for state in states.iter().filter(|state| state.destination.weight == 0) {
                draining.endpoints += 1;
                draining.connections += u64::from(state.active) + u64::from(state.inactive);
            }
            if self.servers.release(key, &states, deadline, &mut operations) {
                gone.push(key);
            }
        }
        self.draining = Some(draining).filter(|it| it.endpoints > 0);
        self.execute(&operations)?;
        self.registry.delete(&gone)?;
        let ips: Vec<IpAddr> = gone.iter().filter_map(ServerKey::ip).collect();
        ips.iter().for_each(|ip| self.paths.leave_address(*ip));
        self.paths.unlead(ips.into_iter())?;
        Ok(())
    }

    /// What stays, as of the last [`Manager::release`].
    pub(crate) const fn draining(&self) -> Option<&Draining> {
        self.draining.as_ref()
    }

    /// Whether there is nothing left of ours.
    pub(crate) fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }

    /// Deletes all that is ours, whoever uses it. Returns what was deleted.
    pub(crate) fn remove(&mut self) -> Result<Vec<String>, IpvsError> {
        let registered = self.registry.servers()?;
        let there = self.ipvs.servers()?.into_iter().map(|server| server.key);
        let ours: Vec<ServerKey> = there.filter(|key| registered.contains(key)).collect();
        let operations: Vec<Operation> =
            ours.iter().copied().map(Operation::DeleteServer).collect();
        self.execute(&operations)?;
        let mut deleted: Vec<String> =
            ours.iter().map(|key| format!("virtual server {key}")).collect();
        if self.paths.remove()? > 0 {
            deleted.push("routing rules and routes".to_owned());
        }
        deleted.extend(self.registry.remove()?);
        self.servers = Servers::default();
        Ok(deleted)
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
                    self.registry.delete(&[server.key])?;
                    self.servers.is_of_others(server.key);
                    refused.insert(server.key);
                }
                operation => {
                    warn!("{}", failure.refusal);
                    self.servers.not_done(operation);
                    if let Operation::AddServer(server) = operation {
                        self.registry.delete(&[server.key])?;
                        refused.insert(server.key);
                    }
                }
            }
        }
        Ok(refused)
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
