//! Chains that are missing, too many or other than they should be.

use std::collections::BTreeSet;

use portolan_core::Family;
use portolan_netlink::nftables::{self, Rule};

use super::goes_with_its_rule;
use crate::container::Container;
use crate::delta::Delta;
use crate::lower::lower;
use crate::structure::Chain;
use crate::table::{ObservedChain, ObservedTable};

/// Makes, changes and removes chains.
pub(crate) fn diff_chains(
    desired: &[Chain],
    observed: &ObservedTable,
    rebuilt: &BTreeSet<Container>,
    family: Family,
    delta: &mut Delta,
) {
    let mut unknown: BTreeSet<&str> = observed.chains.keys().map(String::as_str).collect();
    for chain in desired {
        unknown.remove(chain.name.as_str());
        let rules: Vec<Rule> = chain.rules.iter().map(|rule| lower(rule, family)).collect();
        match observed.chains.get(&chain.name) {
            None => add_chain(chain, rules, delta),
            Some(there) if there.base != chain.base => {
                delta.flush_chains.push(chain.name.clone());
                delta.delete_chains.push(chain.name.clone());
                add_chain(chain, rules, delta);
            }
            Some(there) if there.rules != rules || uses_any(chain, rebuilt) => {
                if !there.rules.is_empty() {
                    delta.flush_chains.push(chain.name.clone());
                }
                add_rules(chain, rules, delta);
            }
            Some(_) => {}
        }
    }
    for (name, there) in &observed.chains {
        if unknown.contains(name.as_str()) {
            remove_chain(name, there, delta);
        }
    }
}

/// Removes a chain that is not ours.
fn remove_chain(name: &str, there: &ObservedChain, delta: &mut Delta) {
    if there.base.is_none() && goes_with_its_rule(name) {
        return;
    }
    // Its rules may use sets that go.
    if !there.rules.is_empty() {
        delta.flush_chains.push(name.to_owned());
    }
    // Nothing can lead to a base chain, and one that stayed would meet packets.
    let chains = match there.base {
        Some(_) => &mut delta.delete_chains,
        None => &mut delta.remove_chains,
    };
    chains.push(name.to_owned());
}

/// Whether a rule of a chain looks into one of these containers.
pub(crate) fn uses_any(chain: &Chain, containers: &BTreeSet<Container>) -> bool {
    let mut used = chain.rules.iter().flatten().filter_map(|statement| statement.container());
    used.any(|container| containers.contains(&container))
}

/// Enters a new chain into a delta.
pub(crate) fn add_chain(chain: &Chain, rules: Vec<Rule>, delta: &mut Delta) {
    let declaration = nftables::Chain { name: chain.name.clone(), base: chain.base, comment: None };
    delta.add_chains.push(declaration);
    add_rules(chain, rules, delta);
}

/// Enters the rules of a chain into a delta.
pub(crate) fn add_rules(chain: &Chain, rules: Vec<Rule>, delta: &mut Delta) {
    delta.add_rules.extend(rules.into_iter().map(|rule| (chain.name.clone(), rule)));
}
