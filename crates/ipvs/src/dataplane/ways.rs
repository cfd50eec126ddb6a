//! The two ways that new connections take, and what becomes of those on the other one.

use std::sync::Arc;

use portolan_core::{Backend as _, BackendError, CheckError, Environment, ServicePlan, SyncReport};
use portolan_nft::Ipvs;
use tracing::{info, warn};

use super::Dataplane;
use crate::error::IpvsError;
use crate::manager::Manager;
use crate::mode::Mode;
use crate::registry::Registry;
use crate::strays::resetting;

impl Dataplane {
    pub(super) fn converge_ipvs(
        &mut self,
        plans: &[Arc<ServicePlan>],
        environment: &Environment,
    ) -> Result<SyncReport, BackendError> {
        let manager = match &mut self.manager {
            Some(manager) => manager,
            none => none.insert(Manager::open(&self.options)?),
        };
        let before = manager.converge(plans, environment)?;
        if !self.hands_over {
            manager.verify_paths()?;
        }
        // Otherwise one server that is refused must not keep the others from their clients.
        if self.switching {
            manager.verify_servers()?;
        }
        self.table.set_ipvs(Ipvs::Serving);
        let resetting: Vec<_> = plans.iter().map(resetting).collect();
        let table = self.table().converge(&mut resetting.iter(), environment)?;
        self.hands_over = true;
        let after = self.with_ipvs(Manager::conclude);
        let after = after.unwrap_or_else(|error| {
            warn!("what is not needed any more stays for now: {error}");
            None
        });
        Ok([before, table, after.unwrap_or_default()].into_iter().sum())
    }

    pub(super) fn converge_nftables(
        &mut self,
        plans: &[Arc<ServicePlan>],
        environment: &Environment,
    ) -> Result<SyncReport, BackendError> {
        match &mut self.manager {
            Some(manager) => {
                // The table does not need IPVS, and goes on whatever becomes of it.
                if let Err(error) = manager.repair(environment) {
                    warn!("connections that IPVS still has may break: {error}");
                }
            }
            None => self.manager = self.left_behind(environment)?,
        }
        let ipvs = if self.manager.is_some() { Ipvs::Draining } else { Ipvs::Unused };
        self.table.set_ipvs(ipvs);
        let report = self.table().converge(&mut plans.iter(), environment)?;
        self.hands_over = false;
        let drained = self.manager.as_mut().map(|manager| {
            manager.drain_all()?;
            manager.look()
        });
        if let Some(Err(error)) = drained {
            warn!("IPVS does not know yet that it gets no new connections: {error}");
        }
        Ok(report)
    }

    /// Lets new connections take another way for now, if there is a reason to.
    pub(super) fn lead_if(
        &mut self,
        is_needed: bool,
        to: Ipvs,
    ) -> Result<SyncReport, BackendError> {
        if !is_needed {
            return Ok(SyncReport::default());
        }
        let environment = self.environment.clone();
        self.table().set_ipvs(to);
        self.table.adapt(&environment)
    }

    /// Where IPVS has been given nothing there is nothing to drain.
    pub(super) fn forget_attempt(&mut self) {
        let is_there = Registry::open(&self.options.registry).and_then(|mut it| it.is_there());
        if matches!(is_there, Ok(false)) {
            self.manager = None;
        }
    }

    /// What an earlier run left with IPVS.
    fn left_behind(&self, environment: &Environment) -> Result<Option<Manager>, IpvsError> {
        if !Registry::open(&self.options.registry)?.is_there()? {
            return Ok(None);
        }
        let found = Manager::open(&self.options).and_then(|mut manager| {
            manager.repair(environment)?;
            Ok(manager)
        });
        Ok(found
            .inspect_err(|error| {
                warn!("what an earlier run left with IPVS cannot be drained: {error}");
            })
            .ok())
    }

    /// Lets go of what nobody uses any more.
    pub(super) fn release(&mut self) -> Result<(), CheckError> {
        let Some(manager) = &mut self.manager else { return Ok(()) };
        if self.mode == Mode::Ipvs {
            return Ok(manager.release()?);
        }
        match manager.release_to_the_end() {
            Ok(false) => return Ok(()),
            Ok(true) => {}
            Err(error) => {
                // The table does not need IPVS.
                warn!("what IPVS still has is looked at again: {error}");
                return Ok(());
            }
        }
        self.table.set_ipvs(Ipvs::Unused);
        let environment = self.environment.clone();
        self.table().adapt(&environment)?;
        self.manager = None;
        info!("IPVS has no connections of Portolan any more, and all of it is removed");
        Ok(())
    }
}
