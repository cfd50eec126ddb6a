//! From changed plans to a delta, at a cost that follows the change.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use portolan_core::{Change, Family, ObjectName};
use portolan_netlink::nftables::Rule;

use crate::chain_name::{EntryKind, ServingChain};
use crate::container::{Container, size_for};
use crate::delta::Delta;
use crate::diff::{add_chain, add_rules, diff_elements, put, uses_any};
use crate::element::{Element, Selection, Value, own_elements, shared_addresses, shared_element};
use crate::key::Key;
use crate::lower::lower;
use crate::partition::Partition;
use crate::slots::PlacedService;
use crate::state::{FamilyState, State};
use crate::statement::Statement;
use crate::table::{ObservedElement, ObservedTable, require};

/// Unused chains that are kept for each part of the map of endpoints: an endpoint count that
/// was left is often come back to, and making a chain again takes a walk over the part.
const UNUSED_CHAINS_KEPT: usize = 64;

/// The most that are kept in all: every transaction looks at every chain.
const MOST_UNUSED_CHAINS_KEPT: usize = 512;

/// The elements of changed services in one container: before and after.
#[derive(Default)]
struct Turnover {
    before: HashMap<Key, ObservedElement>,
    after: Vec<Element>,
}

type Turnovers = BTreeMap<(Family, Container), Turnover>;

/// Takes changes into the state and returns what the kernel must do to follow.
pub(crate) fn apply(state: &mut State, changes: &[Change]) -> BTreeMap<Family, Delta> {
    let partition = state.partition;
    let mut turnovers = Turnovers::new();
    let mut shared: BTreeMap<(Container, IpAddr), isize> = BTreeMap::new();
    // Of several changes of one service the last counts.
    let last: BTreeMap<&ObjectName, &Change> =
        changes.iter().map(|change| (&change.service, change)).collect();
    for (service, change) in last {
        let old = state.services.remove(service);
        if let Some(old) = &old {
            leave(old, partition, &mut turnovers, &mut shared);
        }
        if let Some(plan) = &change.new {
            let placed = match &old {
                Some(old) => old.succeeded_by(plan.clone()),
                None => PlacedService::fresh(plan.clone()),
            };
            enter(&placed, partition, &mut turnovers, &mut shared);
            state.services.insert(service.clone(), placed);
        }
    }
    share(&mut state.shared, shared, &mut turnovers);
    let mut by_family: BTreeMap<Family, BTreeMap<Container, Turnover>> = BTreeMap::new();
    for ((family, container), turnover) in turnovers {
        by_family.entry(family).or_default().insert(container, turnover);
    }
    let mut deltas = BTreeMap::new();
    for (family, turnovers) in by_family {
        let Some(table) = state.families.get_mut(&family) else { continue };
        let mut delta = table.turn_over(turnovers);
        table.grow(&mut delta);
        if !delta.is_empty() {
            deltas.insert(family, delta);
        }
    }
    deltas
}

fn leave(
    service: &PlacedService,
    partition: Partition,
    turnovers: &mut Turnovers,
    shared: &mut BTreeMap<(Container, IpAddr), isize>,
) {
    own_elements(service, partition, Selection::ALL, &mut |family, container, element| {
        let there = ObservedElement { value: element.value, comment: element.comment };
        turnovers.entry((family, container)).or_default().before.insert(element.key, there);
    });
    shared_addresses(service, &mut |container, ip| {
        *shared.entry((container, ip)).or_default() -= 1;
    });
}

fn enter(
    service: &PlacedService,
    partition: Partition,
    turnovers: &mut Turnovers,
    shared: &mut BTreeMap<(Container, IpAddr), isize>,
) {
    own_elements(service, partition, Selection::ALL, &mut |family, container, element| {
        turnovers.entry((family, container)).or_default().after.push(element);
    });
    shared_addresses(service, &mut |container, ip| {
        *shared.entry((container, ip)).or_default() += 1;
    });
}

/// Counts who shares an address, and turns over those that nobody shared before or shares
/// any more.
fn share(
    counts: &mut BTreeMap<(Container, IpAddr), usize>,
    changes: BTreeMap<(Container, IpAddr), isize>,
    turnovers: &mut Turnovers,
) {
    for ((container, ip), change) in changes {
        let before = counts.get(&(container, ip)).copied().unwrap_or_default();
        let after = before.saturating_add_signed(change);
        if (before == 0) != (after == 0) {
            let turnover = turnovers.entry((Family::of(ip), container)).or_default();
            let element = shared_element(container, ip);
            if before == 0 {
                turnover.after.push(element);
            } else {
                let there = ObservedElement { value: element.value, comment: element.comment };
                turnover.before.insert(element.key, there);
            }
        }
        if after == 0 {
            counts.remove(&(container, ip));
        } else {
            counts.insert((container, ip), after);
        }
    }
}

impl FamilyState {
    fn turn_over(&mut self, turnovers: BTreeMap<Container, Turnover>) -> Delta {
        let mut delta = Delta::default();
        let unused = self.unused_chains();
        let mut needed = BTreeSet::new();
        for (container, Turnover { before, after }) in turnovers {
            for element in &after {
                self.refer(element.value, 1);
                if let Value::Chain(chain) = element.value {
                    require(&mut needed, chain);
                }
            }
            before.values().for_each(|element| self.refer(element.value, -1));
            let count = (self.count(container) + after.len()).saturating_sub(before.len());
            let (deleted, added) = diff_elements(after, before);
            put(&mut delta, container, deleted, added);
            self.counts.insert(container, count);
        }
        for chain in &needed {
            if self.chains.insert(*chain) {
                let chain = self.settings.serving_chain(*chain);
                add_chain(&chain, self.lower(&chain.rules), &mut delta);
            }
        }
        for chain in unused.difference(&needed) {
            self.chains.remove(chain);
            // Before a map that its rule uses is made again.
            delta.flush_chains.push(chain.to_string());
            delta.remove_chains.push(chain.to_string());
        }
        delta
    }

    /// Keeps the unused chains that the table holds as they should be, however many: a restart
    /// that changes nothing sends nothing, also after services have been scaled. Too many of
    /// them go with the next change, as they would have without the restart.
    pub(crate) fn keep_unused_chains(&mut self, observed: &ObservedTable) {
        let containers: BTreeSet<Container> = self.containers().collect();
        let has = |statement: &Statement| {
            statement.container().is_none_or(|container| containers.contains(&container))
        };
        let is_sound = |chain: &ServingChain| {
            let chain = self.settings.serving_chain(*chain);
            let there = observed.chains.get(&chain.name);
            chain.rules.iter().flatten().all(has)
                && there.is_some_and(|there| {
                    there.base == chain.base && there.rules == self.lower(&chain.rules)
                })
        };
        let mut kept = self.chains.clone();
        for chain in observed.chains.keys().filter_map(|name| ServingChain::from_name(name)) {
            let mut with_successors = BTreeSet::from([ServingChain::Reject]);
            require(&mut with_successors, chain);
            with_successors.remove(&ServingChain::Reject);
            if with_successors.iter().all(is_sound) {
                kept.append(&mut with_successors);
            }
        }
        self.chains = kept;
    }

    /// Chains that nothing led to before this transaction, once they are many.
    fn unused_chains(&self) -> BTreeSet<ServingChain> {
        let kept = UNUSED_CHAINS_KEPT * self.parts.numbers().count();
        let kept = kept.min(MOST_UNUSED_CHAINS_KEPT);
        // What elements lead to is used, and each of these leads to a chain that draws for none of
        // the others. Where so many are enough, the rest of the used chains is not looked for.
        let has_own_draw = |chain: &&ServingChain| {
            use ServingChain::{ClusterIp, External};
            matches!(chain, ClusterIp(_) | External(EntryKind::NodePort, _))
        };
        let drawing = || self.references.keys().filter(has_own_draw).count();
        let unexplained = self.chains.len().saturating_sub(self.references.len() + kept);
        if unexplained == 0 || unexplained <= drawing() {
            return BTreeSet::new();
        }
        let mut used = BTreeSet::from([ServingChain::Reject]);
        self.references.keys().for_each(|chain| require(&mut used, *chain));
        if self.chains.len() <= used.len() + kept {
            return BTreeSet::new();
        }
        self.chains.difference(&used).copied().collect()
    }

    fn lower(&self, rules: &[Vec<Statement>]) -> Vec<Rule> {
        rules.iter().map(|rule| lower(rule, self.settings.family)).collect()
    }

    /// Makes room where elements no longer fit: the container is made again with a larger
    /// size under the same name, in the same transaction, with all its elements.
    pub(crate) fn grow(&mut self, delta: &mut Delta) {
        let full: BTreeSet<Container> = delta
            .add_elements
            .iter()
            .filter(|(container, added)| {
                let deleted = delta.delete_elements.get(container).map_or(0, Vec::len);
                // As if no deleted element gave its place back within the transaction.
                self.count(**container) + deleted > self.room(**container) && !added.is_empty()
            })
            .map(|(container, _)| *container)
            .collect();
        if full.is_empty() {
            return;
        }
        for container in &full {
            let count = self.count(*container);
            let size = size_for(*container, count);
            self.sizes.insert(*container, size);
            delta.delete_sets.push(container.name().to_owned());
            delta.add_sets.push((*container, size));
            delta.delete_elements.remove(container);
            delta.add_elements.remove(container);
            delta.fill_elements.insert(*container, count);
        }
        self.replace_rules(&full, delta);
    }

    fn replace_rules(&self, containers: &BTreeSet<Container>, delta: &mut Delta) {
        let new: BTreeSet<String> =
            delta.add_chains.iter().map(|chain| chain.name.clone()).collect();
        for chain in self.all_chains() {
            if uses_any(&chain, containers) && !new.contains(&chain.name) {
                delta.flush_chains.push(chain.name.clone());
                add_rules(&chain, self.lower(&chain.rules), delta);
            }
        }
    }
}
