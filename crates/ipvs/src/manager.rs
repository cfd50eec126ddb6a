//! Virtual servers, the register of those that are ours, and the paths to them, kept as
//! plans say.

mod drain;
mod marks;
mod observe;
mod scheduling;
mod settle;

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use portolan_core::backend::NodePortAddresses;
use portolan_core::{Change, Draining, Environment, ObjectName, ServicePlan, SyncReport};
use portolan_netlink::ipvs::{Ipvs, Operation, ServerKey, Timeouts};
use tracing::warn;

use crate::error::IpvsError;
use crate::kernel::Kernel;
use crate::options::IpvsOptions;
use crate::paths::Paths;
use crate::registry::Registry;
use crate::schedulers::{Scheduler, Schedulers};
use crate::servers::Servers;
use crate::sysctl;
use crate::wanted::{Settings, Wanted, wanted};

/// Keeps IPVS as plans say. Between what is done before the table leads clients there and
/// what is done afterwards the caller changes the table.
#[derive(Debug)]
pub(crate) struct Manager {
    ipvs: Box<dyn Kernel>,
    registry: Registry,
    paths: Paths,
    servers: Servers,
    schedulers: Schedulers,
    settings: Settings,
    plans: HashMap<ObjectName, Arc<ServicePlan>>,
    /// Those that may not be as they are wanted.
    unsettled: BTreeSet<ServerKey>,
    drain_for: Duration,
    timeouts: Timeouts,
    draining: Option<Draining>,
    /// What is to be done once the table leads nobody there.
    afterwards: Vec<Operation>,
    /// The kernel refused something, or others changed it: it is not as we know it.
    incomplete: bool,
    /// The last server whose destinations were compared, unless it was the last of all.
    compared: Option<ServerKey>,
    /// New connections go elsewhere, and not all destinations know yet.
    drains: bool,
}

impl Manager {
    /// Opens the conversations; changes nothing.
    pub(crate) fn open(options: &IpvsOptions) -> Result<Manager, IpvsError> {
        Manager::with(Box::new(Ipvs::open()?), options)
    }

    fn with(ipvs: Box<dyn Kernel>, options: &IpvsOptions) -> Result<Manager, IpvsError> {
        let scheduler = Scheduler::of_node(&options.scheduler);
        Ok(Manager {
            ipvs,
            registry: Registry::open(&options.registry)?,
            paths: Paths::of(options)?,
            servers: Servers::default(),
            schedulers: Schedulers::new(scheduler.clone()),
            settings: Settings { scheduler, ..Settings::default() },
            plans: HashMap::new(),
            unsettled: BTreeSet::new(),
            drain_for: options.drain_for,
            timeouts: options.timeouts,
            draining: None,
            afterwards: Vec::new(),
            incomplete: false,
            compared: None,
            drains: false,
        })
    }

    /// Reads what there is, and takes in all that these plans need; see [`Manager::settle`].
    pub(crate) fn converge(
        &mut self,
        plans: &[Arc<ServicePlan>],
        environment: &Environment,
    ) -> Result<(), IpvsError> {
        sysctl::set()?;
        if self.timeouts != Timeouts::default() {
            self.ipvs.set_timeouts(self.timeouts)?;
        }
        self.catch_up(plans, environment)
    }

    fn catch_up(
        &mut self,
        plans: &[Arc<ServicePlan>],
        environment: &Environment,
    ) -> Result<(), IpvsError> {
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
        self.unsettled = self.servers.keys();
        Ok(self.paths.lead_all()?)
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

    /// Takes in what changed plans need; see [`Manager::settle`].
    pub(crate) fn change(&mut self, changes: &[Change]) {
        for change in changes {
            if let Some(old) = self.plans.remove(&change.service) {
                self.withdraw(&old);
            }
            if let Some(new) = &change.new {
                self.claim(new);
                self.plans.insert(change.service.clone(), Arc::clone(new));
            }
        }
    }

    /// Adds what another environment needs.
    pub(crate) fn adapt(&mut self, environment: &Environment) -> Result<SyncReport, IpvsError> {
        let node_ports = node_ports(environment);
        if node_ports != self.settings.node_ports {
            let plans: Vec<_> = self.plans.values().cloned().collect();
            plans.iter().for_each(|plan| self.withdraw(plan));
            self.settings.node_ports = node_ports;
            plans.iter().for_each(|plan| self.claim(plan));
        }
        let report = self.settle()?;
        if self.paths.set_networks(&environment.service_cidrs) {
            self.paths.lead_all()?;
            self.paths.prune()?;
        }
        Ok(report)
    }

    /// How many transactions of nf_tables took effect since this was last asked.
    pub(crate) const fn take_transactions(&mut self) -> u32 {
        self.registry.take_transactions()
    }

    fn claim(&mut self, plan: &ServicePlan) {
        let (servers, unsettled) = (&mut self.servers, &mut self.unsettled);
        wanted(plan, &self.settings, &mut |wanted: Wanted| {
            unsettled.insert(wanted.server.key);
            servers.claim(&plan.name, wanted);
        });
    }

    fn withdraw(&mut self, plan: &ServicePlan) {
        let (servers, unsettled) = (&mut self.servers, &mut self.unsettled);
        wanted(plan, &self.settings, &mut |wanted: Wanted| {
            unsettled.insert(wanted.server.key);
            servers.withdraw(&plan.name, &wanted);
        });
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

#[cfg(test)]
mod tests;
