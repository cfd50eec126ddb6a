//! One table, and IPVS behind it or not: both backends, and the change from one to the
//! other.
//!
//! ```text
//!  nftables           table ── maps ──▶ endpoints
//!  ipvs               table ── hand-over ──▶ virtual servers ──▶ endpoints
//!  between them       one transaction of the table: new connections take the other way,
//!                     those that are established stay on theirs
//! ```
//!
//! Connections that the table translated live in connection tracking and need nothing from
//! us. Connections that IPVS has need their virtual server, the routes, and the rule that
//! marks their packets: all that stays until the last of them has ended, or for so long.

mod ways;

use std::sync::Arc;
use std::time::{Duration, Instant};

use portolan_core::{
    Backend, BackendError, Change, CheckError, Draining, Environment, Remembered, ServicePlan,
    SyncReport,
};
use portolan_nft::{NftBackend, NftOptions, Pace};

use self::ways::unseen;
use crate::manager::Manager;
use crate::mode::Mode;
use crate::options::IpvsOptions;
use crate::strays::resetting_changes;
use crate::sysctl;

/// How often is tried again what the kernel lacked or refused: schedulers, and to look at what
/// an earlier run left.
const TRY_AGAIN_EVERY: Duration = Duration::from_secs(60);

/// Both backends, of which one has the new connections.
#[derive(Debug)]
pub struct Dataplane {
    mode: Mode,
    table: NftBackend,
    options: IpvsOptions,
    /// There while IPVS has, or may have, something of ours.
    manager: Option<Manager>,
    /// Why it is not, although an earlier run left something with IPVS.
    unseen: Option<String>,
    environment: Environment,
    /// When virtual servers are compared: nothing tells that others changed them.
    pace: Pace,
    /// When that was tried which is tried again every minute.
    tried: Instant,
    /// The table hands connections over.
    hands_over: bool,
    /// There is another backend to go on with.
    switching: bool,
}

impl Dataplane {
    /// Opens the conversations with the kernel; changes nothing yet.
    pub fn open(
        mode: Mode,
        nft: NftOptions,
        options: IpvsOptions,
    ) -> Result<Dataplane, BackendError> {
        let manager = match mode {
            Mode::Ipvs => Some(Manager::open(&options)?),
            Mode::Nftables => None,
        };
        Ok(Dataplane {
            mode,
            table: NftBackend::open(nft)?,
            options,
            manager,
            unseen: None,
            environment: Environment::default(),
            pace: Pace::new(Instant::now()),
            tried: Instant::now(),
            hands_over: false,
            switching: false,
        })
    }

    /// Does something with IPVS, if that has the new connections.
    fn with_ipvs<R, E>(
        &mut self,
        work: impl FnOnce(&mut Manager) -> Result<R, E>,
    ) -> Result<Option<R>, E> {
        self.ipvs().map(work).transpose()
    }

    /// IPVS, if that has the new connections.
    fn ipvs(&mut self) -> Option<&mut Manager> {
        self.manager.as_mut().filter(|_| self.mode == Mode::Ipvs)
    }

    /// The table, which is told that transactions of the register are ours.
    fn table(&mut self) -> &mut NftBackend {
        if let Some(manager) = &mut self.manager {
            self.table.account_for(manager.take_transactions());
        }
        &mut self.table
    }

    /// [`Backend::is_disturbed`], at a time.
    pub fn is_disturbed_at(&mut self, now: Instant) -> Result<bool, CheckError> {
        self.release()?;
        if now.saturating_duration_since(self.tried) >= TRY_AGAIN_EVERY {
            self.tried = now;
            self.try_again()?;
        }
        if self.table().is_disturbed_at(now).map_err(unread)? {
            return Ok(true);
        }
        self.with_ipvs(Manager::compare_some).map_err(unread)?;
        let Some(manager) = self.manager.as_mut().filter(|_| self.pace.is_due(now)) else {
            return Ok(false);
        };
        let start = Instant::now();
        let undisturbed = match self.mode {
            Mode::Ipvs => sysctl::are_set() && manager.is_undisturbed().map_err(unread)?,
            Mode::Nftables => manager.paths_are_undisturbed().map_err(unread)?,
        };
        self.pace.compared(now, start.elapsed());
        Ok(!undisturbed)
    }
}

impl Backend for Dataplane {
    fn name(&self) -> &'static str {
        self.mode.name()
    }

    fn atomic(&self) -> bool {
        self.mode == Mode::Nftables
    }

    fn look_ahead(&mut self) {
        self.table.look_ahead();
    }

    fn converge(
        &mut self,
        plans: &mut dyn Iterator<Item = &Arc<ServicePlan>>,
        environment: &Environment,
    ) -> Result<SyncReport, BackendError> {
        let start = Instant::now();
        let plans: Vec<Arc<ServicePlan>> = plans.cloned().collect();
        self.environment.clone_from(environment);
        let report = match self.mode {
            Mode::Nftables => self.converge_nftables(&plans, environment),
            Mode::Ipvs => self.converge_ipvs(&plans, environment),
        }?;
        let cost = start.elapsed();
        self.table.converged_in(cost);
        self.pace.compared(Instant::now(), cost);
        Ok(report)
    }

    fn apply(&mut self, changes: &[Change]) -> Result<SyncReport, BackendError> {
        let Some(manager) = self.ipvs() else { return self.table().apply(changes) };
        manager.change(changes);
        let before = self.settle()?;
        let table = self.table().apply(&resetting_changes(changes))?;
        let after = self.with_ipvs(Manager::finish)?.unwrap_or_default();
        Ok([before, table, after].into_iter().sum())
    }

    fn adapt(&mut self, environment: &Environment) -> Result<SyncReport, BackendError> {
        self.environment.clone_from(environment);
        let before = self.with_ipvs(|manager| manager.adapt(environment))?.unwrap_or_default();
        let table = self.table().adapt(environment)?;
        let after = self.with_ipvs(Manager::finish)?.unwrap_or_default();
        Ok([before, table, after].into_iter().sum())
    }

    fn draining(&self) -> Option<Draining> {
        self.manager.as_ref()?.draining().cloned()
    }

    fn problems(&self) -> Vec<String> {
        match (&self.manager, self.mode) {
            (Some(manager), Mode::Ipvs) => manager.problems(),
            _ => self.unseen.iter().map(|error| unseen(error)).collect(),
        }
    }

    fn remembered(&mut self) -> Vec<Remembered> {
        self.table.remembered()
    }

    fn is_disturbed(&mut self) -> Result<bool, CheckError> {
        self.is_disturbed_at(Instant::now())
    }

    fn switch(
        &mut self,
        to: &str,
        plans: &mut dyn Iterator<Item = &Arc<ServicePlan>>,
        environment: &Environment,
    ) -> Result<SyncReport, BackendError> {
        let Some(to) = Mode::from_name(to) else {
            return Err(format!("there is no backend {to:?}").into());
        };
        let from = std::mem::replace(&mut self.mode, to);
        self.switching = true;
        let result = self.converge(plans, environment);
        self.switching = false;
        if result.is_err() {
            // The table has not changed: after it nothing fails.
            self.mode = from;
            if from == Mode::Nftables {
                self.forget_attempt();
            }
        }
        result
    }
}

/// Nothing but reading failed.
pub(crate) fn unread(error: impl Into<BackendError>) -> CheckError {
    CheckError::Unread(error.into())
}
