//! The backend: what core asks for, done to the kernel.

mod converge;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portolan_core::{
    Backend, BackendError, Change, CheckError, Environment, Family, Remembered, ServicePlan,
    SyncReport,
};
use portolan_netlink::NetlinkError;
use portolan_netlink::nftables::{Batch, Connection};

use self::converge::{Observation, catch_up, place};
use crate::adapt::adapt;
use crate::apply::apply;
use crate::delta::Delta;
use crate::disturbance::Disturbance;
use crate::error::NftError;
use crate::partition::Partition;
use crate::remembered::remembered;
use crate::state::State;
use crate::structure::FamilySettings;
use crate::{Ipvs, NftOptions};

/// Programs plans into two tables, one per family, of the network namespace of the thread
/// that opened it. Needs CAP_NET_ADMIN there.
#[derive(Debug)]
pub struct NftBackend {
    options: NftOptions,
    connection: Connection,
    batch: Batch,
    /// What was observed before plans were known.
    ahead: Option<Observation>,
    /// How the tables are divided, from the first convergence on.
    partition: Option<Partition>,
    /// `None` until the first convergence, and after a failure.
    state: Option<State>,
    /// Convergences that the kernel refused, in a row.
    refusals: u32,
    disturbance: Disturbance,
}

impl NftBackend {
    /// Opens the conversation with the kernel; changes nothing yet. Fails at once where the
    /// capability or the kernel feature is missing.
    pub fn open(options: NftOptions) -> Result<NftBackend, NftError> {
        let mut connection = Connection::open()?;
        connection.generation()?;
        Ok(NftBackend {
            options,
            connection,
            batch: Batch::new(None),
            ahead: None,
            partition: None,
            state: None,
            refusals: 0,
            disturbance: Disturbance::new(),
        })
    }

    /// What becomes of connections to endpoints from the next [`Backend::adapt`] or
    /// [`Backend::converge`] on, which makes it so in one transaction. Connections that are
    /// established stay where they are.
    pub fn set_ipvs(&mut self, ipvs: Ipvs) {
        self.options.ipvs = ipvs;
    }

    /// Bits of the connection mark that IPVS's connections have besides or instead of ours, from
    /// the next [`Backend::adapt`] or [`Backend::converge`] on: see
    /// [`NftOptions::former_ipvs_marks`].
    pub fn set_former_ipvs_marks(&mut self, marks: u32) {
        self.options.former_ipvs_marks = marks;
    }

    /// The caller has had so many transactions of its own since the last call: they are no
    /// changes by others.
    pub fn account_for(&mut self, transactions: u32) {
        (0..transactions).for_each(|_| self.disturbance.committed());
    }

    /// The last convergence was part of one that took so long, which bounds how often others
    /// can cause one.
    pub fn converged_in(&mut self, cost: Duration) {
        self.disturbance.mended(cost);
    }

    /// [`Backend::is_disturbed`], at a time. Only reads.
    pub fn is_disturbed_at(&mut self, now: Instant) -> Result<bool, NftError> {
        let Some(state) = &self.state else { return Ok(false) };
        let table = &self.options.table;
        Ok(self.disturbance.look(&mut self.connection, state, table, now)?)
    }

    /// The transaction that [`Backend::apply`] would send, for the caller to send. The backend
    /// takes it as done. What an apply costs beyond sending it is the backend's own share.
    ///
    /// # Errors
    ///
    /// [`NftError::NotConverged`] before the first convergence, and after a failure.
    pub fn transaction(&mut self, changes: &[Change]) -> Result<Batch, NftError> {
        let state = self.state.as_mut().ok_or(NftError::NotConverged)?;
        let deltas = apply(state, changes);
        let mut batch = Batch::new(None);
        write(&deltas, state, &self.options.table, &mut batch);
        Ok(batch)
    }

    /// Sends what separates the kernel from what it should be. Refused if others had a
    /// transaction since our last one.
    fn commit(
        &mut self,
        deltas: &BTreeMap<Family, Delta>,
        state: &State,
    ) -> Result<SyncReport, NftError> {
        self.batch.clear(self.disturbance.generation());
        write(deltas, state, &self.options.table, &mut self.batch);
        if self.batch.is_empty() {
            return Ok(SyncReport::default());
        }
        let start = Instant::now();
        let receipt = self.connection.commit(&mut self.batch)?;
        self.disturbance.committed();
        Ok(SyncReport {
            added: deltas.values().map(Delta::added).sum(),
            deleted: deltas.values().map(Delta::deleted).sum(),
            transactions: 1,
            bytes: receipt.bytes,
            kernel: start.elapsed(),
        })
    }

    /// Commits whatever others did meanwhile: most of it concerns tables of their own.
    fn commit_over_others(
        &mut self,
        deltas: &BTreeMap<Family, Delta>,
        state: &State,
    ) -> Result<SyncReport, NftError> {
        match self.commit(deltas, state) {
            Err(NftError::Netlink(NetlinkError::StaleGeneration { .. })) => {
                self.disturbance.overtaken();
                self.commit(deltas, state)
            }
            result => result,
        }
    }
}

impl Backend for NftBackend {
    fn name(&self) -> &'static str {
        "nftables"
    }

    fn atomic(&self) -> bool {
        true
    }

    fn look_ahead(&mut self) {
        // Whatever is wrong shows in the first convergence, which tries it again.
        self.ahead = self.observe().ok();
    }

    fn converge(
        &mut self,
        plans: &mut dyn Iterator<Item = &Arc<ServicePlan>>,
        environment: &Environment,
    ) -> Result<SyncReport, BackendError> {
        let plans: Vec<Arc<ServicePlan>> = plans.cloned().collect();
        Ok(self.converge_plans(&plans, environment)?)
    }

    fn apply(&mut self, changes: &[Change]) -> Result<SyncReport, BackendError> {
        // Whatever goes wrong from here on leaves the state unknown.
        let mut state = self.state.take().ok_or(NftError::NotConverged)?;
        let deltas = apply(&mut state, changes);
        let report = self.commit_over_others(&deltas, &state)?;
        self.state = Some(state);
        Ok(report)
    }

    fn adapt(&mut self, environment: &Environment) -> Result<SyncReport, BackendError> {
        let mut state = self.state.take().ok_or(NftError::NotConverged)?;
        let deltas = adapt(&mut state, environment, &self.options);
        let report = self.commit_over_others(&deltas, &state)?;
        self.state = Some(state);
        Ok(report)
    }

    fn is_disturbed(&mut self) -> Result<bool, CheckError> {
        self.is_disturbed_at(Instant::now()).map_err(|error| CheckError::Unread(error.into()))
    }

    fn remembered(&mut self) -> Vec<Remembered> {
        remembered(&mut self.connection, &self.options.table)
    }
}

/// The transaction that makes these tables in a kernel that has none of them. What a
/// [`Backend::converge`] costs beyond sending it is the backend's own share.
pub fn first_transaction(
    plans: &[Arc<ServicePlan>],
    environment: &Environment,
    options: &NftOptions,
) -> Batch {
    let settings = Family::BOTH.map(|it| FamilySettings::new(it, environment, options)).into();
    let partition = Partition::new(plans, options.endpoints_per_map, &|_| None);
    let mut state = State::new(place(plans, &BTreeMap::new()), settings, partition);
    let delta = |family| (family, catch_up(&mut state, family, None, &options.table));
    let deltas = Family::BOTH.map(delta).into();
    let mut batch = Batch::new(None);
    write(&deltas, &state, &options.table, &mut batch);
    batch
}

fn write(deltas: &BTreeMap<Family, Delta>, state: &State, table: &str, batch: &mut Batch) {
    for (family, delta) in deltas {
        if let Some(desired) = state.families.get(family) {
            delta.write(table, state.inventory(&desired.settings), batch);
        }
    }
}
