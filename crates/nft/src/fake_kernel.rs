//! A table in memory that refuses what the kernel refuses.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use portolan_core::Family;
use portolan_netlink::nftables::{Expression, OwnedVerdict, Rule, Set};

use crate::container::Container;
use crate::delta::Delta;
use crate::element::{Element, Value};
use crate::inventory::Inventory;
use crate::key::Key;
use crate::observe::parts;
use crate::observed_elements::ObservedElements;
use crate::table::{ObservedChain, ObservedElement, ObservedTable};

/// One family's table, if it exists.
#[derive(Debug, Default)]
pub(crate) struct FakeKernel {
    exists: bool,
    chains: BTreeMap<String, ObservedChain>,
    sets: BTreeMap<String, Set>,
    elements: HashMap<Container, HashMap<Key, ObservedElement>>,
}

impl FakeKernel {
    /// Applies a transaction; panics where the kernel would refuse it.
    pub(crate) fn commit(&mut self, delta: &Delta, inventory: Inventory<'_>) {
        let family = inventory.settings.family;
        if delta.delete_table {
            *self = FakeKernel::default();
        }
        self.exists |= delta.add_table.is_some();
        assert!(self.exists || delta.is_empty(), "no table");
        for chain in &delta.flush_chains {
            self.chains.get_mut(chain).expect("flushed chain exists").rules.clear();
        }
        for chain in &delta.delete_chains {
            self.delete_chain(chain);
        }
        for set in &delta.delete_sets {
            self.delete_set(set);
        }
        for (container, size) in &delta.add_sets {
            let set = container.declaration(family, *size);
            assert!(self.sets.insert(set.name.clone(), set).is_none(), "{container:?} exists");
        }
        for chain in &delta.add_chains {
            let made = ObservedChain { base: chain.base, rules: Vec::new() };
            assert!(self.chains.insert(chain.name.clone(), made).is_none(), "{}", chain.name);
        }
        for (chain, rule) in &delta.add_rules {
            self.chains.get_mut(chain).expect("chain of a rule exists").rules.push(rule.clone());
        }
        self.change_elements(delta);
        self.fill_elements(delta, inventory);
        for chain in &delta.remove_chains {
            self.chains.get_mut(chain).expect("removed chain exists").rules.clear();
        }
        for chain in &delta.remove_chains {
            self.delete_chain(chain);
        }
        self.check_references();
    }

    /// The table as a listing shows it.
    pub(crate) fn observe(&self, family: Family) -> Option<ObservedTable> {
        self.exists.then(|| ObservedTable {
            is_dormant: false,
            spoilt: BTreeSet::new(),
            chains: self.chains.clone(),
            sets: self.sets.clone(),
            parts: parts(family, &self.sets),
            elements: self.elements.iter().map(|(it, all)| (*it, observed(*it, all))).collect(),
        })
    }

    /// The elements of all containers.
    pub(crate) fn elements(&self) -> &HashMap<Container, HashMap<Key, ObservedElement>> {
        &self.elements
    }

    /// Damages the table as another program might.
    pub(crate) fn forget_elements(&mut self, container: Container, every: usize) {
        let elements = self.elements.entry(container).or_default();
        let mut keys: Vec<Key> = elements.keys().copied().collect();
        keys.sort_unstable();
        keys.into_iter().step_by(every).for_each(|key| drop(elements.remove(&key)));
    }

    /// Changes the value of an element as another program might, or deletes it without one.
    pub(crate) fn edit(&mut self, container: Container, key: Key, value: Option<Value>) {
        let elements = self.elements.get_mut(&container).expect("edited container has elements");
        match value {
            Some(value) => elements.get_mut(&key).expect("edited element exists").value = value,
            None => drop(elements.remove(&key).expect("deleted element exists")),
        }
    }

    fn fill_elements(&mut self, delta: &Delta, inventory: Inventory<'_>) {
        let filled: Vec<Container> = delta.fill_elements.keys().copied().collect();
        let sources = inventory.sources(&filled);
        for (container, count) in &delta.fill_elements {
            let size = self.sets.get(container.name()).and_then(|set| set.size).unwrap_or(0);
            let elements = self.elements.entry(*container).or_default();
            assert!(elements.is_empty(), "{container:?} is filled twice");
            inventory.of(*container, &sources, &mut |Element { key, value, comment }| {
                let element = ObservedElement { value, comment };
                assert!(elements.insert(key, element).is_none(), "{container:?} has {key:?}");
            });
            assert_eq!(elements.len(), *count, "{container:?} gets all that it should hold");
            assert!(elements.len() <= size as usize, "{container:?} is full");
        }
    }

    fn change_elements(&mut self, delta: &Delta) {
        for (container, keys) in &delta.delete_elements {
            let elements = self.elements.entry(*container).or_default();
            for key in keys {
                assert!(elements.remove(key).is_some(), "{container:?} has no {key:?}");
            }
        }
        for (container, added) in &delta.add_elements {
            let size = self.sets.get(container.name()).and_then(|set| set.size).unwrap_or(0);
            let elements = self.elements.entry(*container).or_default();
            for Element { key, value, comment } in added {
                let element = ObservedElement { value: *value, comment: comment.clone() };
                assert!(elements.insert(*key, element).is_none(), "{container:?} has {key:?}");
            }
            // Stricter than the kernel, which gives places back within the transaction.
            let deleted = delta.delete_elements.get(container).map_or(0, Vec::len);
            assert!(elements.len() + deleted <= size as usize, "{container:?} is full");
        }
    }

    fn delete_set(&mut self, name: &str) {
        assert!(self.sets.remove(name).is_some(), "no set {name}");
        let used = self.rules().any(|rule| looks_into(rule, name));
        assert!(!used, "a rule uses {name}");
        if let Some(container) = Container::from_name(name) {
            self.elements.remove(&container);
        }
    }

    fn delete_chain(&mut self, name: &str) {
        let chain = self.chains.remove(name).expect("deleted chain exists");
        assert!(chain.rules.is_empty(), "{name} has rules");
        assert!(!self.targets().contains(&name.to_owned()), "something leads to {name}");
    }

    fn check_references(&self) {
        for target in self.targets() {
            assert!(self.chains.contains_key(&target), "something leads to {target}, not there");
        }
        for rule in self.rules() {
            for expression in &rule.expressions {
                if let Expression::Lookup { set, .. } = expression {
                    assert!(self.sets.contains_key(set), "a rule uses {set}, not there");
                }
            }
        }
    }

    fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.chains.values().flat_map(|chain| &chain.rules)
    }

    fn targets(&self) -> Vec<String> {
        let from_rules =
            self.rules().flat_map(|rule| &rule.expressions).filter_map(|it| match it {
                Expression::Verdict(OwnedVerdict::Goto(chain)) => Some(chain.clone()),
                _ => None,
            });
        let values = self.elements.values().flat_map(HashMap::values);
        let from_elements = values.filter_map(|element| match element.value {
            Value::Chain(chain) => Some(chain.to_string()),
            _ => None,
        });
        from_rules.chain(from_elements).collect()
    }
}

fn observed(container: Container, all: &HashMap<Key, ObservedElement>) -> ObservedElements {
    let mut elements = ObservedElements::new(container.holds_endpoints());
    all.iter().for_each(|(key, element)| elements.insert(*key, element.clone()));
    elements
}

fn looks_into(rule: &Rule, name: &str) -> bool {
    rule.expressions
        .iter()
        .any(|expression| matches!(expression, Expression::Lookup { set, .. } if set == name))
}
