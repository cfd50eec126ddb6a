//! `desired` minus `observed`: the one way from what is to what should be.

mod chains;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use portolan_netlink::nftables::Table;

pub(crate) use self::chains::{add_chain, add_rules, diff_chains, uses_any};
use crate::container::{Container, size_for};
use crate::delta::Delta;
use crate::element::Element;
use crate::inventory::Inventory;
use crate::key::Key;
use crate::observed_elements::ObservedElements;
use crate::state::FamilyState;
use crate::structure::Chain;
use crate::table::{ObservedElement, ObservedTable};

/// The comment of our tables.
const TABLE_COMMENT: &str = "services of this node, kept by portolan; edits are undone";

/// The operations that make the desired table, with the elements of the inventory, out of
/// the observed one, if there is one. Also says how large each container is afterwards.
pub(crate) fn diff(
    desired: &FamilyState,
    observed: Option<ObservedTable>,
    inventory: Inventory<'_>,
    table: &str,
) -> (Delta, BTreeMap<Container, u32>) {
    let (mut delta, mut observed) = begin(observed, table);
    // Others may have made further parts; what is in a map goes with it.
    let wanted: BTreeSet<Container> = desired.containers().collect();
    observed.elements.retain(|container, _| wanted.contains(container));
    let missing = match_elements(&mut observed.elements, inventory);
    if desired.parts != observed.parts {
        let is_spoilt = |it: &Container| {
            let wrong = observed.elements.get(it).map_or(0, ObservedElements::len);
            let right = desired.count(*it).saturating_sub(missing.get(it).map_or(0, Vec::len));
            it.is_part() && wrong > right
        };
        // Made for more endpoints than it is to hold, most of which have to go. Where others
        // added or deleted maps, those that are left hold what they should.
        observed.spoilt.extend(missing.keys().copied().filter(is_spoilt));
    }
    let (sizes, rebuilt) =
        diff_structure(desired, &mut observed, &mut delta, &|container, there| {
            there.map_or(0, ObservedElements::len) + desired.count(container)
        });
    for (container, missing) in missing {
        if !rebuilt.contains(&container) {
            let there = observed.elements.remove(&container).unwrap_or_default();
            put(&mut delta, container, there.into_keys(), missing);
        }
    }
    (delta, sizes)
}

/// Whether the observed table has the chains, the rules and the declarations that are
/// desired; its elements are not looked at.
pub(crate) fn has_structure(desired: &FamilyState, observed: ObservedTable, table: &str) -> bool {
    let (mut delta, mut observed) = begin(Some(observed), table);
    diff_structure(desired, &mut observed, &mut delta, &|_, _| 0);
    delta.fill_elements.clear();
    delta.is_empty()
}

fn begin(observed: Option<ObservedTable>, table: &str) -> (Delta, ObservedTable) {
    let mut delta = Delta::default();
    let comment = Some(TABLE_COMMENT.to_owned());
    let declaration = Table { name: table.to_owned(), comment, dormant: false };
    match &observed {
        None => delta.add_table = Some(declaration),
        Some(observed) if observed.is_dormant => delta.wake_table = Some(declaration),
        Some(_) => {}
    }
    (delta, observed.unwrap_or_default())
}

/// Takes from the containers that hold something what they should hold. Returns what they
/// lack: an element whose value differs stays in both, for the kernel refuses to change one
/// in place. Containers that hold nothing are left out.
fn match_elements(
    observed: &mut BTreeMap<Container, ObservedElements>,
    inventory: Inventory<'_>,
) -> BTreeMap<Container, Vec<Element>> {
    observed.retain(|_, elements| !elements.is_empty());
    let held = observed.keys().map(|container| (*container, Vec::new()));
    let mut missing: BTreeMap<Container, Vec<Element>> = held.collect();
    if missing.is_empty() {
        return missing;
    }
    inventory.all(&mut |container, element| {
        let Some(there) = observed.get_mut(&container) else { return };
        if !there.take(&element) {
            missing.entry(container).or_default().push(element);
        }
    });
    missing
}

/// Containers and chains. Containers that are new are to be filled, and so are those that
/// hold nothing.
fn diff_structure(
    desired: &FamilyState,
    observed: &mut ObservedTable,
    delta: &mut Delta,
    room: Room<'_>,
) -> (BTreeMap<Container, u32>, BTreeSet<Container>) {
    let (sizes, rebuilt) = diff_containers(desired, observed, delta, room);
    let chains: Vec<Chain> = desired.all_chains().collect();
    diff_chains(&chains, observed, &rebuilt, desired.settings.family, delta);
    let is_empty = |it: &Container| rebuilt.contains(it) || !observed.elements.contains_key(it);
    let counts = desired.containers().filter(is_empty).map(|it| (it, desired.count(it)));
    delta.fill_elements = counts.filter(|(_, count)| *count > 0).collect();
    (sizes, rebuilt)
}

/// The elements that a container holds if none of those that go, which are given, gives its
/// place back within the transaction. Newer kernels do give it back; not to depend on it
/// costs nothing.
type Room<'a> = &'a dyn Fn(Container, Option<&ObservedElements>) -> usize;

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
            Some(there) if there.is(&element) => {}
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

/// Makes containers that are missing, and makes those again that are declared otherwise or
/// have become too small: the rules that use them must go and come back, all in the same
/// transaction. Returns the sizes and the containers that are new.
fn diff_containers(
    desired: &FamilyState,
    observed: &mut ObservedTable,
    delta: &mut Delta,
    room: Room<'_>,
) -> (BTreeMap<Container, u32>, BTreeSet<Container>) {
    let mut sizes = BTreeMap::new();
    let mut rebuilt = BTreeSet::new();
    for container in desired.containers() {
        let there = observed.sets.remove(container.name());
        let room = room(container, observed.elements.get(&container));
        let keep = there.as_ref().filter(|_| !observed.spoilt.contains(&container));
        let keep = keep.and_then(|set| {
            let size = set.size.filter(|size| usize::try_from(*size).is_ok_and(|it| it >= room))?;
            container.is_declared_by(desired.settings.family, set).then_some(size)
        });
        let size = keep.unwrap_or_else(|| size_for(container, desired.count(container)));
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
