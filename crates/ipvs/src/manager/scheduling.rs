//! Schedulers that the kernel may lack.

use portolan_core::SyncReport;
use portolan_netlink::ipvs::{Operation, Server};

use super::Manager;
use crate::error::IpvsError;

impl Manager {
    /// Whether [`Manager::settle`] will give servers that have clients another scheduler.
    pub(crate) fn reschedules(&mut self) -> Result<bool, IpvsError> {
        for name in self.servers.untried_schedulers(&self.unsettled, &self.schedulers) {
            if self.ipvs.lacks_scheduler(&name)? {
                self.is_missing(&name)?;
            }
        }
        Ok(self.unsettled.iter().any(|key| self.servers.reschedules(key, &self.schedulers)))
    }

    /// Does for all that was taken in what has to be done before the table leads clients there.
    /// Each scheduler of which it is not known whether the kernel has it is tried by one server.
    /// Those that the kernel refused for lack of theirs have the node's when this returns.
    pub(crate) fn settle(&mut self) -> Result<SyncReport, IpvsError> {
        let keys = std::mem::take(&mut self.unsettled);
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

    /// The kernel refused a server because it has no such scheduler. It is to be settled
    /// again, and then it gets the scheduler of the node.
    pub(super) fn lacks_scheduler(
        &mut self,
        operation: &Operation,
        server: &Server,
    ) -> Result<(), IpvsError> {
        self.is_missing(&server.scheduler)?;
        self.servers.not_done(operation);
        Ok(())
    }

    fn is_missing(&mut self, name: &str) -> Result<(), IpvsError> {
        if name == self.schedulers.of_node().name {
            return Err(IpvsError::NoScheduler { name: name.to_owned() });
        }
        self.schedulers.refused(name);
        Ok(())
    }

    /// What the kernel lacked is to be tried again: its module may be there by now.
    pub(crate) fn try_schedulers_again(&mut self) {
        let missing = self.schedulers.try_again();
        if !missing.is_empty() {
            self.unsettled.extend(self.servers.wanted_with(&missing));
        }
    }

    /// What Services ask for and do not get although they are served, one sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.schedulers.problems(|name| self.servers.is_asked_for(name))
    }
}
