//! `desired` minus `observed`: the one way from what is to what should be.

use std::collections::{BTreeSet, HashMap};

use portolan_core::Family;
use portolan_netlink::nftables::{self, Rule, Set, Table};

use crate::container::Container;
use crate::delta::Delta;
use crate::element::Element;
use crate::key::Key;
use crate::lower::lower;
use crate::structure::Chain;
use crate::table::{DesiredTable, ObservedElement, ObservedTable};

/// The comment of our tables.
const TABLE_COMMENT: &str = "services of this node, kept by portolan; edits are undone";

/// The operations that make the desired table out of the observed one, if there is one.
/// Also says how large each container is afterwards.
pub(crate) fn diff(
    desired: DesiredTable,
    observed: Option<ObservedTable>,
    table: &str,
) -> (Delta, HashMap<Container, u32>) {
    let family = desired.family();
    let mut delta = Delta::default();
    if observed.as_ref().is_none_or(|observed| observed.is_dormant) {
        // Adding a table that exists switches it on.
        let comment = Some(TABLE_COMMENT.to_owned());
        delta.add_table = Some(Table { name: table.to_owned(), comment, dormant: false });
    }
    let mut observed = observed.unwrap_or_default();
    let (sizes, rebuilt) = diff_containers(&desired, &mut observed, &mut delta);
    diff_chains(&desired, &observed, &rebuilt, family, &mut delta);
    for (container, elements) in desired.elements {
        let there = observed.elements.remove(&container).unwrap_or_default();
        let (deleted, added) = diff_elements(elements, there);
        put(&mut delta, container, deleted, added);
    }
    (delta, sizes)
}

/// Enters a container's changed elements into a delta.
pub(crate) fn put(delta: &mut Delta, container: Container, deleted: Vec<Key>, added: Vec<Element>) {
    if !deleted.is_empty() {
        delta.delete_elements.insert(container, deleted);
    }
    if !added.is_empty() {
        delta.add_elements.insert(container, added);
    }
}

/// The keys to delete and the elements to add. An element whose value differs is in both,
/// for the kernel refuses to change one in place.
pub(crate) fn diff_elements(
    desired: Vec<Element>,
    mut observed: HashMap<Key, ObservedElement>,
) -> (Vec<Key>, Vec<Element>) {
    if observed.is_empty() {
        return (Vec::new(), desired);
    }
    let mut deleted = Vec::new();
    let mut added = Vec::new();
    for element in desired {
        match observed.remove(&element.key) {
            Some(there) if is_same(&element, &there) => {}
            Some(_) => {
                deleted.push(element.key);
                added.push(element);
            }
            None => added.push(element),
        }
    }
    deleted.extend(observed.into_keys());
    deleted.sort_unstable();
    (deleted, added)
}

/// Sets and chains without a name of their own get one from the kernel (`__set0`, `__map0`,
/// `__chain1`; net/netfilter/nf_tables_api.c, v6.1). They end with the rule that they stand in.
fn goes_with_its_rule(name: &str) -> bool {
    name.starts_with("__")
}

fn is_same(wanted: &Element, there: &ObservedElement) -> bool {
    there.value == wanted.value && there.comment == wanted.comment
}

/// Makes containers that are missing, and makes those again that are declared otherwise or
/// have become too small: the rules that use them must go and come back, all in the same
/// transaction. Returns the sizes and the containers that are new.
fn diff_containers(
    desired: &DesiredTable,
    observed: &mut ObservedTable,
    delta: &mut Delta,
) -> (HashMap<Container, u32>, BTreeSet<Container>) {
    let mut sizes = HashMap::new();
    let mut rebuilt = BTreeSet::new();
    for container in Container::all() {
        let there = observed.sets.remove(container.name());
        let room = room_for(desired.elements(container), observed.elements.get(&container));
        let keep = there.as_ref().filter(|_| !observed.spoilt.contains(&container));
        let keep = keep.and_then(|set| {
            let size = set.size.filter(|size| usize::try_from(*size).is_ok_and(|it| it >= room))?;
            same_declaration(set, &container.declaration(desired.family(), size)).then_some(size)
        });
        let size = keep.unwrap_or_else(|| desired.size(container));
        sizes.insert(container, size);
        if keep.is_none() {
            if there.is_some() {
                delta.delete_sets.push(container.name().to_owned());
                observed.elements.remove(&container);
            }
            delta.add_sets.push((container, size));
            rebuilt.insert(container);
        }
    }
    // Whatever else is in our table is not ours to keep.
    let foreign = std::mem::take(&mut observed.sets).into_keys();
    delta.delete_sets.extend(foreign.filter(|name| !goes_with_its_rule(name)));
    (sizes, rebuilt)
}

/// The elements that a container holds if none of the replaced ones gives its place back
/// within the transaction. Newer kernels do give it back; not to depend on it costs nothing.
fn room_for(desired: &[Element], observed: Option<&HashMap<Key, ObservedElement>>) -> usize {
    let Some(observed) = observed else { return desired.len() };
    let added = desired
        .iter()
        .filter(|element| !observed.get(&element.key).is_some_and(|there| is_same(element, there)));
    observed.len() + added.count()
}

fn same_declaration(there: &Set, wanted: &Set) -> bool {
    // Comments are for people, and old kernels do not keep them.
    Set { comment: None, ..there.clone() } == Set { comment: None, ..wanted.clone() }
}

/// Makes, changes and removes chains.
pub(crate) fn diff_chains(
    desired: &DesiredTable,
    observed: &ObservedTable,
    rebuilt: &BTreeSet<Container>,
    family: Family,
    delta: &mut Delta,
) {
    let mut unknown: BTreeSet<&str> = observed.chains.keys().map(String::as_str).collect();
    for chain in desired.chains() {
        unknown.remove(chain.name.as_str());
        let rules: Vec<Rule> = chain.rules.iter().map(|rule| lower(rule, family)).collect();
        match observed.chains.get(&chain.name) {
            None => add_chain(&chain, rules, delta),
            Some(there) if there.base != chain.base => {
                delta.flush_chains.push(chain.name.clone());
                delta.delete_chains.push(chain.name.clone());
                add_chain(&chain, rules, delta);
            }
            Some(there) if there.rules != rules || uses_any(&chain, rebuilt) => {
                if !there.rules.is_empty() {
                    delta.flush_chains.push(chain.name.clone());
                }
                add_rules(&chain, rules, delta);
            }
            Some(_) => {}
        }
    }
    for name in unknown.into_iter().filter(|name| !goes_with_its_rule(name)) {
        // Their rules may use sets that go.
        if observed.chains.get(name).is_some_and(|there| !there.rules.is_empty()) {
            delta.flush_chains.push(name.to_owned());
        }
        delta.remove_chains.push(name.to_owned());
    }
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
