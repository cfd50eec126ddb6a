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
        let resetting: Vec<_> = plans.iter().map(resetting).collect();
        let reschedules = self.take_in(plans, environment)?;
        // In a change of the backend they come by nftables anyway.
        let steps_aside = reschedules && (self.hands_over || !self.switching);
        let mut aside = SyncReport::default();
        if steps_aside {
            // As in `settle`, but it is not known yet what the table is.
            self.lead(Ipvs::Draining);
            aside = self.table().converge(&mut resetting.iter(), environment)?;
        }
        let before = self.with_ipvs(Manager::settle)?.unwrap_or_default();
        let (hands_over, switching) = (self.hands_over, self.switching);
        self.with_ipvs(|manager| {
            if !hands_over {
                manager.verify_paths()?;
            }
            // Otherwise one server that is refused must not keep the others from their clients.
            if switching { manager.verify_servers() } else { Ok(()) }
        })?;
        self.lead(Ipvs::Serving);
        let table = match steps_aside {
            true => self.table().adapt(environment),
            false => self.table().converge(&mut resetting.iter(), environment),
        }?;
        self.hands_over = true;
        self.unseen = None;
        let after = self.with_ipvs(Manager::conclude);
        let after = after.unwrap_or_else(|error| {
            warn!("what is not needed any more stays for now: {error}");
            None
        });
        Ok([aside, before, table, after.unwrap_or_default(), self.adopt()].into_iter().sum())
    }

    /// IPVS is told what is wanted of it, and does nothing yet. Returns whether servers that
    /// have clients are to get another scheduler.
    fn take_in(
        &mut self,
        plans: &[Arc<ServicePlan>],
        environment: &Environment,
    ) -> Result<bool, IpvsError> {
        let manager = match &mut self.manager {
            Some(manager) => manager,
            none => none.insert(Manager::open(&self.options)?),
        };
        manager.converge(plans, environment)?;
        manager.reschedules()
    }

    /// Makes virtual servers what was taken in. One that gets another scheduler has none
    /// meanwhile, and turns everybody away (`ip_vs_edit_service`, v6.1): new connections go
    /// past IPVS then.
    pub(super) fn settle(&mut self) -> Result<SyncReport, BackendError> {
        let reschedules = self.with_ipvs(Manager::reschedules)?.unwrap_or_default();
        let aside = self.lead_if(reschedules, Ipvs::Draining)?;
        let settled = self.with_ipvs(Manager::settle)?.unwrap_or_default();
        let back = self.lead_if(reschedules, Ipvs::Serving)?;
        Ok([aside, settled, back].into_iter().sum())
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
            None => self.look_at_what_is_left(environment)?,
        }
        self.lead(self.behind_nftables());
        let table = self.table().converge(&mut plans.iter(), environment)?;
        self.hands_over = false;
        self.drain();
        Ok([table, self.adopt()].into_iter().sum())
    }

    /// What the table has to do for IPVS where it balances new connections itself. What an
    /// earlier run left may have connections although nobody can look at it.
    fn behind_nftables(&self) -> Ipvs {
        if self.manager.is_some() || self.unseen.is_some() { Ipvs::Draining } else { Ipvs::Unused }
    }

    /// IPVS gets no new connections any more.
    fn drain(&mut self) {
        let drained = self.manager.as_mut().map(|manager| {
            manager.drain_all()?;
            manager.look()
        });
        if let Some(Err(error)) = drained {
            warn!("IPVS does not know yet that it gets no new connections: {error}");
        }
    }

    /// The table is to do this for IPVS when it is next changed.
    fn lead(&mut self, to: Ipvs) {
        let former = self.manager.as_ref().map_or(0, Manager::former_marks);
        self.table().set_former_ipvs_marks(former);
        self.table.set_ipvs(to);
    }

    /// Connections that an earlier process gave to IPVS with another mark get ours, after
    /// which the table need not look for theirs.
    fn adopt(&mut self) -> SyncReport {
        self.try_to_adopt().unwrap_or_else(|error| {
            warn!(
                "connections that IPVS has with the mark of an earlier --ipvs-mark-bit go on, and \
                 get that of this one later: {error}"
            );
            SyncReport::default()
        })
    }

    fn try_to_adopt(&mut self) -> Result<SyncReport, BackendError> {
        let Some(manager) = self.manager.as_mut().filter(|it| it.former_marks() != 0) else {
            return Ok(SyncReport::default());
        };
        manager.adopt_connections()?;
        let environment = self.environment.clone();
        self.table().set_former_ipvs_marks(0);
        let report = self.table.adapt(&environment)?;
        self.manager.as_mut().map_or(Ok(()), Manager::forget_former_marks)?;
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
        self.lead(to);
        self.table().adapt(&environment)
    }

    /// Where IPVS has been given nothing there is nothing to drain. What an earlier run gave
    /// it and nobody has seen yet is looked at again as it would have been.
    pub(super) fn forget_attempt(&mut self) {
        let is_there = Registry::of(&self.options).and_then(|mut it| it.is_there());
        if self.unseen.is_some() || matches!(is_there, Ok(false)) {
            self.manager = None;
        }
    }

    /// Takes over what an earlier run left with IPVS. Where that cannot be done it stays as it
    /// is, with all that its connections need, until it can.
    fn look_at_what_is_left(&mut self, environment: &Environment) -> Result<(), IpvsError> {
        if !Registry::of(&self.options)?.is_there()? {
            self.unseen = None;
            return Ok(());
        }
        let found = Manager::open(&self.options).and_then(|mut manager| {
            manager.repair(environment)?;
            Ok(manager)
        });
        self.unseen = found.as_ref().err().map(ToString::to_string);
        self.manager = found.ok();
        Ok(())
    }

    /// Tries again what could not be done for a reason that may be gone.
    pub(super) fn try_again(&mut self) -> Result<(), BackendError> {
        if let Some(manager) = self.ipvs() {
            manager.try_schedulers_again();
            self.settle()?;
            self.with_ipvs(Manager::finish)?;
        }
        if self.unseen.is_some() && self.mode == Mode::Nftables {
            let environment = self.environment.clone();
            self.look_at_what_is_left(&environment)?;
            self.lead_if(self.unseen.is_none(), self.behind_nftables())?;
            self.drain();
        }
        self.adopt();
        Ok(())
    }

    /// Lets go of what nobody uses any more.
    pub(super) fn release(&mut self) -> Result<(), CheckError> {
        if self.with_ipvs(Manager::release)?.is_some() {
            self.settle()?;
            self.with_ipvs(Manager::finish)?;
        }
        let Some(manager) = self.manager.as_mut().filter(|_| self.mode == Mode::Nftables) else {
            return Ok(());
        };
        match manager.release_to_the_end() {
            Ok(false) => return Ok(()),
            Ok(true) => {}
            Err(error) => {
                // The table does not need IPVS.
                warn!("what IPVS still has is looked at again: {error}");
                return Ok(());
            }
        }
        self.lead(Ipvs::Unused);
        let environment = self.environment.clone();
        self.table().adapt(&environment)?;
        self.manager = None;
        info!("IPVS has no connections of Portolan any more, and all of it is removed");
        Ok(())
    }
}

/// What an earlier run left with IPVS cannot be looked at, and what becomes of it.
pub(super) fn unseen(error: &str) -> String {
    format!(
        "what an earlier run left with IPVS cannot be looked at: {error}. Connections that IPVS \
         still has go on as they are, and it is tried again every minute"
    )
}
