//! Schedulers that the kernel may lack.

use std::collections::BTreeSet;

use portolan_core::SyncReport;
use portolan_netlink::ipvs::{Operation, Server, ServerKey};

use super::Manager;
use crate::error::IpvsError;
use crate::report::sum;

impl Manager {
    /// Does for these servers what has to be done before the table leads clients there. Each
    /// scheduler that the kernel was not asked for yet is tried by one of them.
    pub(super) fn settle(&mut self, keys: BTreeSet<ServerKey>) -> Result<SyncReport, IpvsError> {
        let mut report = SyncReport::default();
        for key in self.servers.untried(&keys, &self.schedulers) {
            report = sum([report, self.settle_all([key])?]);
            if let Some(scheduler) = self.servers.scheduler_of(&key) {
                self.schedulers.found(scheduler);
            }
        }
        Ok(sum([report, self.settle_all(keys)?]))
    }

    /// The kernel refused a server because it has no such scheduler. What is left undone is
    /// done when this server is settled again, with the scheduler of the node. Returns the
    /// server, if it is not there.
    pub(super) fn lacks_scheduler(
        &mut self,
        operation: &Operation,
        server: &Server,
    ) -> Result<Option<ServerKey>, IpvsError> {
        let name = &server.scheduler;
        if *name == self.schedulers.of_node().name {
            return Err(IpvsError::NoScheduler { name: name.clone() });
        }
        self.schedulers.refused(name);
        self.servers.not_done(operation);
        if !matches!(operation, Operation::AddServer(_)) {
            return Ok(None);
        }
        self.disown(server.key)?;
        Ok(Some(server.key))
    }

    /// Tries again what the kernel lacked: its module may be there by now.
    pub(crate) fn try_schedulers_again(&mut self) -> Result<(), IpvsError> {
        let missing = self.schedulers.try_again();
        if !missing.is_empty() {
            self.settle(self.servers.wanted_with(&missing))?;
        }
        Ok(())
    }

    /// What Services ask for and do not get although they are served, one sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.schedulers.problems(|name| self.servers.is_asked_for(name))
    }
}
