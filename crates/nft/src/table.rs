//! A family's table as we want it, and as it is observed.

use std::collections::{BTreeMap, BTreeSet};

use portolan_core::Family;
use portolan_netlink::nftables::{BaseChain, Rule, Set};

use crate::chain_name::ServingChain;
use crate::container::{Container, size_for};
use crate::element::{Element, Value};
use crate::inventory::Inventory;
use crate::key::Key;
use crate::observed_elements::ObservedElements;
use crate::partition::Parts;
use crate::state::FamilyState;
use crate::structure::Chain;

/// A table as we want it, with all its elements.
#[derive(Debug)]
pub(crate) struct DesiredTable {
    /// The family.
    pub(crate) family: Family,
    /// How its map of endpoints is divided.
    pub(crate) parts: Parts,
    /// The chains, the fixed ones first.
    pub(crate) chains: Vec<Chain>,
    /// The elements of each container, by key.
    elements: BTreeMap<Container, Vec<Element>>,
}

impl DesiredTable {
    /// A table with the elements of an inventory.
    pub(crate) fn new(table: &FamilyState, inventory: Inventory<'_>) -> DesiredTable {
        let mut elements: BTreeMap<Container, Vec<Element>> = BTreeMap::new();
        inventory.all(&mut |container, element| {
            elements.entry(container).or_default().push(element);
        });
        for elements in elements.values_mut() {
            elements.sort_unstable_by_key(|element| element.key);
        }
        let (family, parts) = (table.settings.family, table.parts);
        DesiredTable { family, parts, chains: table.all_chains().collect(), elements }
    }

    /// All containers.
    pub(crate) fn containers(&self) -> impl Iterator<Item = Container> + use<> {
        Container::all(self.parts)
    }

    /// The elements of a container.
    pub(crate) fn elements(&self, container: Container) -> &[Element] {
        self.elements.get(&container).map(Vec::as_slice).unwrap_or_default()
    }

    /// The size that a container needs.
    pub(crate) fn size(&self, container: Container) -> u32 {
        size_for(container, self.elements(container).len())
    }
}

/// Adds a chain and all that it leads to.
pub(crate) fn require(serving: &mut BTreeSet<ServingChain>, chain: ServingChain) {
    if serving.insert(chain) {
        for next in chain.successors() {
            require(serving, next);
        }
    }
}

/// A table as the kernel has it.
#[derive(Debug, Default)]
pub(crate) struct ObservedTable {
    /// It is switched off: its base chains see no packets.
    pub(crate) is_dormant: bool,
    /// Containers to be made again, however they are declared, such as one with an element that
    /// cannot be deleted by its key: one for all keys that have none of their own (`*`).
    pub(crate) spoilt: BTreeSet<Container>,
    /// Chains by name.
    pub(crate) chains: BTreeMap<String, ObservedChain>,
    /// Sets and maps by name, ours and others.
    pub(crate) sets: BTreeMap<String, Set>,
    /// How the map of endpoints is divided.
    pub(crate) parts: Parts,
    /// The elements of our containers.
    pub(crate) elements: BTreeMap<Container, ObservedElements>,
}

/// A chain as the kernel has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ObservedChain {
    /// Where the kernel calls it.
    pub(crate) base: Option<BaseChain>,
    /// The rules.
    pub(crate) rules: Vec<Rule>,
}

/// An element as the kernel has it, without its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ObservedElement {
    /// The value.
    pub(crate) value: Value,
    /// The comment.
    pub(crate) comment: Option<Box<str>>,
}

impl ObservedElement {
    /// Whether an element with the same key says the same.
    pub(crate) fn is(&self, element: &Element) -> bool {
        self.value == element.value && self.comment == element.comment
    }
}

impl ObservedTable {
    /// The value of a key.
    pub(crate) fn value(&self, container: Container, key: &Key) -> Option<Value> {
        self.elements.get(&container)?.value(key)
    }
}
