//! The backend: what core asks for, done to the kernel.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portolan_core::{Backend, BackendError, Change, Environment, Family, ServicePlan, SyncReport};
use portolan_netlink::NetlinkError;
use portolan_netlink::nftables::{Batch, Connection};
use tracing::debug;

use crate::adapt::adapt;
use crate::apply::apply;
use crate::delta::Delta;
use crate::diff::diff;
use crate::disturbance::Disturbance;
use crate::error::NftError;
use crate::observe::{observe, occupied};
use crate::slots::PlacedService;
use crate::state::State;
use crate::structure::FamilySettings;
use crate::table::ObservedTable;
use crate::{Ipvs, NftOptions};

/// How often a convergence is tried when other programs change tables meanwhile.
const ATTEMPTS: u32 = 5;

/// Programs plans into two tables, one per family, of the network namespace of the thread
/// that opened it. Needs CAP_NET_ADMIN there.
#[derive(Debug)]
pub struct NftBackend {
    options: NftOptions,
    connection: Connection,
    batch: Batch,
    /// `None` until the first convergence, and after a failure.
    state: Option<State>,
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
            state: None,
            disturbance: Disturbance::new(),
        })
    }

    /// What becomes of connections to endpoints from the next [`Backend::adapt`] or
    /// [`Backend::converge`] on, which makes it so in one transaction. Connections that are
    /// established stay where they are.
    pub fn set_ipvs(&mut self, ipvs: Ipvs) {
        self.options.ipvs = ipvs;
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

    /// [`Backend::is_disturbed`], at a time.
    pub fn is_disturbed_at(&mut self, now: Instant) -> Result<bool, NftError> {
        let Some(state) = &self.state else { return Ok(false) };
        let table = &self.options.table;
        Ok(self.disturbance.look(&mut self.connection, state, table, now)?)
    }

    /// Observes the kernel and sends what is missing or too much.
    fn converge_plans(
        &mut self,
        plans: &[Arc<ServicePlan>],
        environment: &Environment,
    ) -> Result<SyncReport, NftError> {
        self.state = None;
        for _ in 0..ATTEMPTS {
            match self.try_converge(plans, environment, false) {
                Err(NftError::Netlink(NetlinkError::StaleGeneration { .. })) => {}
                result => return result,
            }
        }
        // Others are busy, most likely with tables of their own. What they may have done to
        // ours makes the transaction fail, or is found when elements are compared next.
        self.try_converge(plans, environment, true)
    }

    fn try_converge(
        &mut self,
        plans: &[Arc<ServicePlan>],
        environment: &Environment,
        over_others: bool,
    ) -> Result<SyncReport, NftError> {
        let start = Instant::now();
        self.disturbance.reading(self.connection.generation()?);
        let mut observed = HashMap::new();
        for family in Family::BOTH {
            let table = observe(&mut self.connection, family, &self.options.table)?;
            observed.insert(family, table);
        }
        let services = place(plans, &observed);
        let settings = Family::BOTH
            .map(|family| FamilySettings::new(family, environment, &self.options))
            .into();
        let mut state = State::new(services, settings);
        let mut deltas = BTreeMap::new();
        let mut removals = BTreeMap::new();
        for family in Family::BOTH {
            let there = observed.remove(&family).flatten();
            let mut delta = catch_up(&mut state, family, there, &self.options.table);
            // A transaction of their own, see Delta::remove_chains.
            let remove_chains = std::mem::take(&mut delta.remove_chains);
            removals.insert(family, Delta { remove_chains, ..Delta::default() });
            deltas.insert(family, delta);
        }
        if over_others {
            self.disturbance.overtaken();
        }
        let first = self.commit(&deltas, &state)?;
        let second = self.remove_unused(&removals, &state)?;
        self.disturbance.mended(start.elapsed());
        self.state = Some(state);
        // The first transaction is far larger than those that follow.
        self.batch = Batch::new(None);
        Ok(sum(first, second))
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

    /// Removes chains that nothing leads to. Kernels that free the elements of a deleted map
    /// later may refuse; then the chains stay until the next convergence, and harm nobody.
    fn remove_unused(
        &mut self,
        removals: &BTreeMap<Family, Delta>,
        state: &State,
    ) -> Result<SyncReport, NftError> {
        match self.commit_over_others(removals, state) {
            Err(NftError::Netlink(NetlinkError::Refused(refusal))) => {
                debug!(%refusal, "unused chains stay for now");
                Ok(SyncReport::default())
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

    fn is_disturbed(&mut self) -> Result<bool, BackendError> {
        Ok(self.is_disturbed_at(Instant::now())?)
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
    let mut state = State::new(place(plans, &HashMap::new()), settings);
    let delta = |family| (family, catch_up(&mut state, family, None, &options.table));
    let deltas = Family::BOTH.map(delta).into();
    let mut batch = Batch::new(None);
    write(&deltas, &state, &options.table, &mut batch);
    batch
}

/// The operations that lead from what is observed to a family's part of the state, which
/// learns from it what is already there.
fn catch_up(
    state: &mut State,
    family: Family,
    observed: Option<ObservedTable>,
    table: &str,
) -> Delta {
    if let (Some(state), Some(there)) = (state.families.get_mut(&family), &observed) {
        state.keep_unused_chains(there);
    }
    let Some(desired) = state.families.get(&family) else { return Delta::default() };
    let (delta, sizes) = diff(desired, observed, state.inventory(&desired.settings), table);
    if let Some(state) = state.families.get_mut(&family) {
        state.sizes = sizes;
    }
    delta
}

fn write(deltas: &BTreeMap<Family, Delta>, state: &State, table: &str, batch: &mut Batch) {
    for (family, delta) in deltas {
        if let Some(desired) = state.families.get(family) {
            delta.write(table, state.inventory(&desired.settings), batch);
        }
    }
}

/// Gives endpoints the slots that the kernel has them in.
fn place(
    plans: &[Arc<ServicePlan>],
    observed: &HashMap<Family, Option<ObservedTable>>,
) -> HashMap<portolan_core::ObjectName, PlacedService> {
    let place = |plan: &Arc<ServicePlan>| {
        let placed = PlacedService::new(plan.clone(), &|port, pool| {
            let table = observed.get(&port.family).and_then(Option::as_ref);
            table.map(|table| occupied(table, port, pool)).unwrap_or_default()
        });
        (plan.name.clone(), placed)
    };
    plans.iter().map(place).collect()
}

fn sum(first: SyncReport, second: SyncReport) -> SyncReport {
    SyncReport {
        added: first.added + second.added,
        deleted: first.deleted + second.deleted,
        transactions: first.transactions + second.transactions,
        bytes: first.bytes + second.bytes,
        kernel: Duration::saturating_add(first.kernel, second.kernel),
    }
}
