//! Schedulers that the kernel may lack.

use std::collections::BTreeSet;

use portolan_core::{Change, ServicePlan, SyncReport};
use portolan_netlink::ipvs::{Operation, Server, ServerKey};

use super::Manager;
use crate::error::IpvsError;
use crate::schedulers::Schedulers;

impl Manager {
    /// Does for these servers what has to be done before the table leads clients there. Each
    /// scheduler of which it is not known whether the kernel has it is tried by one of them.
    /// Those that the kernel refused for lack of theirs have the node's when this returns.
    pub(super) fn settle(&mut self, keys: BTreeSet<ServerKey>) -> Result<SyncReport, IpvsError> {
        let mut total = SyncReport::default();
        for key in self.servers.untried(&keys, &self.schedulers) {
            let (report, _) = self.settle_all([key])?;
            total = [total, report].into_iter().sum();
            if let Some(scheduler) = self.servers.scheduler_of(&key) {
                self.schedulers.found(scheduler, key);
            }
        }
        let (report, refused) = self.settle_all(keys)?;
        // Whoever tried may have been refused for another reason, or its module is gone since.
        let (again, _) = self.settle_all(refused)?;
        Ok([total, report, again].into_iter().sum())
    }

    /// Whether a change may give virtual servers that have clients another scheduler.
    pub(crate) fn may_reschedule(&self, change: &Change) -> bool {
        match (&change.old, &change.new) {
            (Some(old), Some(new)) => {
                let [old, new] = [old, new].map(|plan| self.scheduler_for(plan));
                old != new || Schedulers::gives_way(new)
            }
            _ => false,
        }
    }

    fn scheduler_for(&self, plan: &ServicePlan) -> &str {
        match &plan.ipvs_scheduler {
            Some(scheduler) => scheduler.name(),
            None => &self.schedulers.of_node().name,
        }
    }

    /// The kernel refused a server because it has no such scheduler. It is to be settled
    /// again, and then it gets the scheduler of the node.
    pub(super) fn lacks_scheduler(
        &mut self,
        operation: &Operation,
        server: &Server,
    ) -> Result<(), IpvsError> {
        let name = &server.scheduler;
        if *name == self.schedulers.of_node().name {
            return Err(IpvsError::NoScheduler { name: name.clone() });
        }
        self.schedulers.refused(name);
        self.servers.not_done(operation);
        Ok(())
    }

    /// Tries again what the kernel lacked: its module may be there by now.
    pub(crate) fn try_schedulers_again(&mut self) -> Result<(), IpvsError> {
        let missing = self.schedulers.try_again();
        if !missing.is_empty() {
            self.settle(self.servers.wanted_with(&missing))?;
            self.finish()?;
        }
        Ok(())
    }

    /// What Services ask for and do not get although they are served, one sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.schedulers.problems(|name| self.servers.is_asked_for(name))
    }
}
