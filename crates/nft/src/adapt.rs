//! From a changed environment to a delta, at a cost that does not depend on services.

use std::collections::{BTreeMap, BTreeSet};

use portolan_core::{Environment, Family};

use crate::NftOptions;
use crate::container::Container;
use crate::delta::Delta;
use crate::diff::{diff_chains, diff_elements, put};
use crate::element::Element;
use crate::lower::lower;
use crate::state::{FamilyState, State};
use crate::structure::{Chain, FamilySettings};
use crate::table::{DesiredTable, ObservedChain, ObservedElement, ObservedTable};

/// Takes an environment into the state and returns what the kernel must do to follow.
pub(crate) fn adapt(
    state: &mut State,
    environment: &Environment,
    options: &NftOptions,
) -> BTreeMap<Family, Delta> {
    let State { services, shared, families } = state;
    let mut deltas = BTreeMap::new();
    for (family, table) in families {
        let settings = FamilySettings::new(*family, environment, options);
        if settings == table.settings {
            continue;
        }
        let mut delta = table.adapt(settings);
        table.grow(&mut delta, services, shared);
        if !delta.is_empty() {
            deltas.insert(*family, delta);
        }
    }
    deltas
}

impl FamilyState {
    /// The rules that differ are written again, and addresses that take NodePorts are added
    /// and deleted one by one.
    fn adapt(&mut self, settings: FamilySettings) -> Delta {
        let mut delta = Delta::default();
        let family = settings.family;
        let mut desired = DesiredTable::new(settings.clone());
        desired.serving.clone_from(&self.chains);
        desired.insert_node_port_addresses();
        let there =
            self.all_chains().map(|chain| (chain.name.clone(), as_observed(&chain, family)));
        let observed = ObservedTable { chains: there.collect(), ..ObservedTable::default() };
        diff_chains(&desired, &observed, &BTreeSet::new(), family, &mut delta);

        let mut before = DesiredTable::new(std::mem::replace(&mut self.settings, settings));
        before.insert_node_port_addresses();
        let container = Container::NodePortIps;
        let there = before.elements(container).iter().map(observed_element).collect();
        let wanted = desired.elements(container).to_vec();
        self.counts.insert(container, wanted.len());
        let (deleted, added) = diff_elements(wanted, there);
        put(&mut delta, container, deleted, added);
        delta
    }
}

fn as_observed(chain: &Chain, family: Family) -> ObservedChain {
    let rules = chain.rules.iter().map(|rule| lower(rule, family)).collect();
    ObservedChain { base: chain.base, rules }
}

fn observed_element(element: &Element) -> (crate::key::Key, ObservedElement) {
    let there = ObservedElement { value: element.value, comment: element.comment.clone() };
    (element.key, there)
}
