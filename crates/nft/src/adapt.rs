//! From a changed environment to a delta, at a cost that does not depend on services.

use std::collections::{BTreeMap, BTreeSet};

use portolan_core::{Environment, Family};

use crate::NftOptions;
use crate::container::Container;
use crate::delta::Delta;
use crate::diff::{diff_chains, diff_elements, put};
use crate::element::{Element, shared_element};
use crate::lower::lower;
use crate::state::{FamilyState, State};
use crate::structure::{Chain, FamilySettings};
use crate::table::{ObservedChain, ObservedElement, ObservedTable};

/// Takes an environment into the state and returns what the kernel must do to follow.
pub(crate) fn adapt(
    state: &mut State,
    environment: &Environment,
    options: &NftOptions,
) -> BTreeMap<Family, Delta> {
    let mut deltas = BTreeMap::new();
    for (family, table) in &mut state.families {
        let settings = FamilySettings::new(*family, environment, options);
        if settings == table.settings {
            continue;
        }
        let mut delta = table.adapt(settings);
        table.grow(&mut delta);
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
        let there =
            self.all_chains().map(|chain| (chain.name.clone(), as_observed(&chain, family)));
        let observed = ObservedTable { chains: there.collect(), ..ObservedTable::default() };
        let before = std::mem::replace(&mut self.settings, settings);
        let chains: Vec<Chain> = self.all_chains().collect();
        diff_chains(&chains, &observed, &BTreeSet::new(), family, &mut delta);

        let container = Container::NodePortIps;
        let there = node_port_elements(&before).map(|it| observed_element(&it)).collect();
        let wanted: Vec<Element> = node_port_elements(&self.settings).collect();
        self.counts.insert(container, wanted.len());
        let (deleted, added) = diff_elements(wanted, there);
        put(&mut delta, container, deleted, added);
        delta
    }
}

fn node_port_elements(settings: &FamilySettings) -> impl Iterator<Item = Element> + use<> {
    let element = |ip| shared_element(Container::NodePortIps, ip);
    settings.node_port_addresses().into_iter().map(element)
}

fn as_observed(chain: &Chain, family: Family) -> ObservedChain {
    let rules = chain.rules.iter().map(|rule| lower(rule, family)).collect();
    ObservedChain { base: chain.base, rules }
}

fn observed_element(element: &Element) -> (crate::key::Key, ObservedElement) {
    let there = ObservedElement { value: element.value, comment: element.comment.clone() };
    (element.key, there)
}
