//! Letting go of what gets no new connections.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Instant;

use portolan_core::{CheckError, Draining};
use portolan_netlink::ipvs::{DestinationState, Operation, ServerKey};

use super::Manager;
use crate::dataplane::unread;
use crate::error::IpvsError;
use crate::paths::PATHS;
use crate::servers::Servers;

/// How many a destination has.
fn connections(state: &DestinationState) -> u64 {
    u64::from(state.active) + u64::from(state.inactive)
}

impl Manager {
    /// New connections go elsewhere; those that there are may stay until they end.
    pub(crate) fn drain_all(&mut self) -> Result<(), IpvsError> {
        self.plans.clear();
        self.unsettled.clear();
        self.afterwards.clear();
        self.drains = true;
        let mut operations = Vec::new();
        self.servers.drain_all(Instant::now(), &mut operations);
        self.execute(&operations)?;
        self.drains = false;
        Ok(())
    }

    /// Deletes what nobody uses any more, or has waited for too long. Asks the kernel only
    /// for servers that wait. Servers that wait no longer are left to [`Manager::settle`].
    pub(crate) fn release(&mut self) -> Result<(), CheckError> {
        if self.drains {
            // It failed when it was asked for, and is not known to what extent.
            self.observe()?;
            self.drain_all()?;
        }
        let deadline = Instant::now().checked_sub(self.drain_for);
        let mut operations = Vec::new();
        let (mut gone, mut left) = (Vec::new(), BTreeSet::new());
        for (key, states) in self.look().map_err(unread)? {
            if self.servers.release(key, &states, deadline, &mut operations) {
                gone.push(key);
            } else {
                left.insert(key);
            }
        }
        self.execute(&operations)?;
        self.let_go(&gone)?;
        // Those that no longer wait may have the scheduler that they are wanted with.
        left.retain(|key| !self.servers.waits(key));
        self.unsettled.extend(left);
        Ok(())
    }

    /// These servers are not there any more: they are ours no longer, and nothing leads there.
    pub(super) fn let_go(&mut self, gone: &[ServerKey]) -> Result<(), IpvsError> {
        self.registry.delete(gone)?;
        let ips: Vec<IpAddr> = gone.iter().filter_map(ServerKey::ip).collect();
        ips.iter().for_each(|ip| self.paths.leave_address(*ip));
        Ok(self.paths.unlead(ips.into_iter())?)
    }

    /// Who still uses what waits, and takes down how much that is.
    pub(crate) fn look(&mut self) -> Result<Vec<(ServerKey, Vec<DestinationState>)>, IpvsError> {
        let mut found = Vec::new();
        let mut draining = Draining { backend: "ipvs".to_owned(), ..Draining::default() };
        for key in self.servers.draining().collect::<Vec<_>>() {
            let states = self.ipvs.destinations(&key)?;
            let waits = |it: &&DestinationState| it.destination.weight == 0 && connections(it) > 0;
            draining.servers += usize::from(states.iter().any(|it| waits(&it)));
            for state in states.iter().filter(waits) {
                draining.endpoints += 1;
                draining.connections += connections(state);
            }
            found.push((key, states));
        }
        let waited = self.servers.last_waits_since().map_or(self.drain_for, |it| it.elapsed());
        let left = self.drain_for.saturating_sub(waited);
        draining.seconds_left = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        self.draining = Some(draining).filter(|it| it.endpoints > 0);
        Ok(found)
    }

    /// As [`Manager::release`], where no new connections come; removes all that is left when
    /// nothing is used any more, and then returns `true`.
    pub(crate) fn release_to_the_end(&mut self) -> Result<bool, CheckError> {
        self.release()?;
        self.settle()?;
        self.finish()?;
        if !self.servers.is_empty() {
            return Ok(false);
        }
        self.remove()?;
        Ok(true)
    }

    /// What stays, as of the last [`Manager::look`].
    pub(crate) const fn draining(&self) -> Option<&Draining> {
        self.draining.as_ref()
    }

    /// Deletes all that is ours, whoever uses it. Returns what was deleted.
    pub(crate) fn remove(&mut self) -> Result<Vec<String>, IpvsError> {
        let registered = self.registry.servers()?;
        let there = self.ipvs.servers()?.into_iter().map(|server| server.key);
        let is_ours = |key: &ServerKey| registered.contains(key) || self.servers.has(key);
        let ours: Vec<ServerKey> = there.filter(is_ours).collect();
        let operations: Vec<Operation> =
            ours.iter().copied().map(Operation::DeleteServer).collect();
        self.execute(&operations)?;
        let mut deleted: Vec<String> =
            ours.iter().map(|key| format!("virtual server {key}")).collect();
        if self.paths.remove()? > 0 {
            deleted.push(PATHS.to_owned());
        }
        deleted.extend(self.registry.remove()?);
        self.servers = Servers::default();
        Ok(deleted)
    }
}
