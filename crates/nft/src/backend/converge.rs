//! Converging: the kernel is observed, and what is missing or too much is sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use portolan_core::{Environment, Family, ObjectName, ServicePlan, SyncReport};
use portolan_netlink::NetlinkError;
use portolan_netlink::nftables::Batch;
use tracing::debug;

use super::NftBackend;
use crate::delta::Delta;
use crate::diff::diff;
use crate::error::NftError;
use crate::observe::observe;
use crate::occupied::Occupied;
use crate::partition::Partition;
use crate::slots::PlacedService;
use crate::state::State;
use crate::structure::FamilySettings;
use crate::table::ObservedTable;

/// How often a convergence is tried when other programs change tables meanwhile.
const ATTEMPTS: u32 = 5;

/// How often in a row the kernel may refuse what separates it from what it should be. Then the
/// tables are deleted and made anew, whatever it is that it does not let us change: all that
/// is lost is what clients are remembered by.
const PATIENCE: u32 = 2;

/// What the kernel has of ours.
#[derive(Debug)]
pub(super) struct Observation {
    /// The generation of the ruleset before it was read.
    generation: u32,
    tables: BTreeMap<Family, Option<ObservedTable>>,
}

impl NftBackend {
    /// Reads our tables.
    pub(super) fn observe(&mut self) -> Result<Observation, NftError> {
        let generation = self.connection.generation()?;
        let mut tables = BTreeMap::new();
        for family in Family::BOTH {
            let table = observe(&mut self.connection, family, &self.options.table)?;
            tables.insert(family, table);
        }
        Ok(Observation { generation, tables })
    }

    /// Our tables as they are: as they were read ahead if nobody has changed anything since.
    fn observe_anew(&mut self) -> Result<Observation, NftError> {
        let generation = self.connection.generation()?;
        match self.ahead.take().filter(|ahead| ahead.generation == generation) {
            Some(ahead) => Ok(ahead),
            None => self.observe(),
        }
    }

    /// Observes the kernel and sends what is missing or too much.
    pub(super) fn converge_plans(
        &mut self,
        plans: &[Arc<ServicePlan>],
        environment: &Environment,
    ) -> Result<SyncReport, NftError> {
        self.state = None;
        let result = self.converge_beside_others(plans, environment);
        let is_refused = matches!(result, Err(NftError::Netlink(NetlinkError::Refused(_))));
        self.refusals = if is_refused { self.refusals.saturating_add(1) } else { 0 };
        result
    }

    fn converge_beside_others(
        &mut self,
        plans: &[Arc<ServicePlan>],
        environment: &Environment,
    ) -> Result<SyncReport, NftError> {
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
        let Observation { generation, tables: mut observed } = self.observe_anew()?;
        self.disturbance.reading(generation);
        let partition = self.partition(plans, &observed);
        let services = place(plans, &observed);
        let settings = Family::BOTH
            .map(|family| FamilySettings::new(family, environment, &self.options))
            .into();
        let mut state = State::new(services, settings, partition);
        let mut deltas = BTreeMap::new();
        for family in Family::BOTH {
            let there = observed.remove(&family).flatten();
            let is_anew = self.refusals >= PATIENCE && there.is_some();
            let there = there.filter(|_| !is_anew);
            let mut delta = catch_up(&mut state, family, there, &self.options.table);
            delta.delete_table = is_anew;
            deltas.insert(family, delta);
        }
        if over_others {
            self.disturbance.overtaken();
        }
        let report = self.commit_one_by_one(deltas, &state)?;
        self.disturbance.mended(start.elapsed());
        self.partition = Some(partition);
        self.state = Some(state);
        // The first transaction is far larger than those that follow.
        self.batch = Batch::new(None);
        Ok(report)
    }

    /// Commits what cannot be one transaction, see [`Delta::remove_chains`] and
    /// [`Delta::wake_table`]. Until the last of them no packet meets what others made of a table
    /// that they switched off.
    fn commit_one_by_one(
        &mut self,
        mut deltas: BTreeMap<Family, Delta>,
        state: &State,
    ) -> Result<SyncReport, NftError> {
        let (mut removals, mut awakenings) = (BTreeMap::new(), BTreeMap::new());
        for (family, delta) in &mut deltas {
            let remove_chains = std::mem::take(&mut delta.remove_chains);
            removals.insert(*family, Delta { remove_chains, ..Delta::default() });
            let wake_table = delta.wake_table.take();
            awakenings.insert(*family, Delta { wake_table, ..Delta::default() });
        }
        let first = self.commit(&deltas, state)?;
        let second = self.remove_unused(&removals, state)?;
        let third = self.commit_over_others(&awakenings, state)?;
        Ok([first, second, third].into_iter().sum())
    }

    /// How the tables are to be divided: a process stays with what it began with.
    fn partition(
        &self,
        plans: &[Arc<ServicePlan>],
        observed: &BTreeMap<Family, Option<ObservedTable>>,
    ) -> Partition {
        let there = |family| Some(observed.get(&family)?.as_ref()?.parts);
        self.partition
            .unwrap_or_else(|| Partition::new(plans, self.options.endpoints_per_map, &there))
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

/// The operations that lead from what is observed to a family's part of the state, which
/// learns from it what is already there.
pub(super) fn catch_up(
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

/// Gives endpoints the slots that the kernel has them in.
pub(super) fn place(
    plans: &[Arc<ServicePlan>],
    observed: &BTreeMap<Family, Option<ObservedTable>>,
) -> BTreeMap<ObjectName, PlacedService> {
    let place = |plan: &Arc<ServicePlan>| {
        let placed = PlacedService::new(plan.clone(), &|port, pool| {
            let table = observed.get(&port.family).and_then(Option::as_ref);
            table.map(|table| Occupied::observe(table, port, pool)).unwrap_or_default()
        });
        (plan.name.clone(), placed)
    };
    plans.iter().map(place).collect()
}
