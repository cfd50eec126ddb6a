//! A family's table as we want it, and as it is observed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use portolan_core::Family;
use portolan_netlink::nftables::{BaseChain, Rule, Set};

use crate::chain_name::ServingChain;
use crate::container::{Container, size_for};
use crate::element::{Element, Value, shared_element};
use crate::key::Key;
use crate::structure::{Chain, FamilySettings};

/// A table as we want it.
#[derive(Debug)]
pub(crate) struct DesiredTable {
    /// What its rules depend on.
    pub(crate) settings: FamilySettings,
    /// The elements of each container, in no particular order, no key twice.
    pub(crate) elements: BTreeMap<Container, Vec<Element>>,
    /// The chains that elements lead to, with all that those lead to.
    pub(crate) serving: BTreeSet<ServingChain>,
}

impl DesiredTable {
    /// A table without services.
    pub(crate) fn new(settings: FamilySettings) -> DesiredTable {
        let elements = Container::all().map(|container| (container, Vec::new()));
        DesiredTable { settings, elements: elements.collect(), serving: BTreeSet::new() }
    }

    /// The family.
    pub(crate) fn family(&self) -> Family {
        self.settings.family
    }

    /// Adds an element and the chains that it needs.
    pub(crate) fn insert(&mut self, container: Container, element: Element) {
        if let Value::Chain(chain) = element.value {
            require(&mut self.serving, chain);
        }
        self.elements.entry(container).or_default().push(element);
    }

    /// Adds the addresses that take NodePorts, if they are listed.
    pub(crate) fn insert_node_port_addresses(&mut self) {
        for ip in self.settings.node_port_addresses() {
            let container = Container::NodePortIps;
            self.insert(container, shared_element(container, ip));
        }
    }

    /// All chains, the fixed ones first.
    pub(crate) fn chains(&self) -> Vec<Chain> {
        let mut chains = self.settings.fixed_chains();
        let serving = self.serving.iter().filter(|chain| **chain != ServingChain::Reject);
        chains.extend(serving.map(|chain| self.settings.serving_chain(*chain)));
        chains
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
    /// Containers with an element that cannot be deleted by its key: one for all keys that
    /// have none of their own (`*`).
    pub(crate) spoilt: BTreeSet<Container>,
    /// Chains by name.
    pub(crate) chains: BTreeMap<String, ObservedChain>,
    /// Sets and maps by name, ours and others.
    pub(crate) sets: BTreeMap<String, Set>,
    /// The elements of our containers.
    pub(crate) elements: HashMap<Container, HashMap<Key, ObservedElement>>,
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

impl ObservedTable {
    /// The value of a key.
    pub(crate) fn value(&self, container: Container, key: &Key) -> Option<Value> {
        Some(self.elements.get(&container)?.get(key)?.value)
    }
}
