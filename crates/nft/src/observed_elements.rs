//! The elements of one container as the kernel has them, kept small.
//!
//! Nearly all elements of a table are endpoints in slots or seats. They are kept by frontend, in
//! a list of endpoints each: a sixth of what they take one by one. Here seats are slots too.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use portolan_core::EndpointAddress;

use crate::element::{Element, Value};
use crate::key::Key;
use crate::table::ObservedElement;

/// Slots below this number are kept in lists. Whoever edits our tables can put an endpoint
/// into any slot, and a list has room for all below.
const LISTED_SLOTS: u32 = 4096;

/// The elements of one container by key.
#[derive(Clone, Debug, Default)]
pub(crate) struct ObservedElements {
    /// Whether values are endpoints and keys end in a slot, so that there are lists.
    lists_endpoints: bool,
    /// Endpoints without comments, by frontend and slot.
    slots: HashMap<Key, Vec<Option<EndpointAddress>>>,
    /// All other elements.
    others: HashMap<Key, ObservedElement>,
    /// Those that are not as they are wanted, whatever their value and comment.
    spoilt: HashSet<Key>,
    count: usize,
}

impl ObservedElements {
    /// No elements, of a container that holds endpoints or none.
    pub(crate) fn new(lists_endpoints: bool) -> ObservedElements {
        ObservedElements { lists_endpoints, ..ObservedElements::default() }
    }

    /// Enters an element. One with the same key is replaced.
    pub(crate) fn insert(&mut self, key: Key, element: ObservedElement) {
        let added = match (self.listed(&key), element) {
            (
                Some((frontend, slot)),
                ObservedElement { value: Value::Endpoint(it), comment: None },
            ) => {
                let list = self.slots.entry(frontend).or_default();
                if list.len() <= slot {
                    list.resize(slot.saturating_add(1), None);
                }
                list.get_mut(slot).is_some_and(|place| place.replace(it).is_none())
            }
            (_, element) => self.others.insert(key, element).is_none(),
        };
        self.count += usize::from(added);
    }

    /// Somebody gave an element a statement: it leads where it should, if at all, and has to be
    /// made again.
    pub(crate) fn spoil(&mut self, key: Key) {
        self.spoilt.insert(key);
    }

    /// What a key leads to.
    pub(crate) fn value(&self, key: &Key) -> Option<Value> {
        let listed = self.listed(key).and_then(|(frontend, slot)| {
            self.slots.get(&frontend)?.get(slot).copied().flatten().map(Value::Endpoint)
        });
        listed.or_else(|| self.others.get(key).map(|there| there.value))
    }

    /// Who is in a frontend's slots, as far as they are kept in a list: others may be in slots
    /// that are empty here, or beyond.
    pub(crate) fn listed_slots(&self, frontend: &Key) -> &[Option<EndpointAddress>] {
        self.slots.get(frontend).map(Vec::as_slice).unwrap_or_default()
    }

    /// Takes an element out if it is there with this value and comment; says whether it was.
    pub(crate) fn take(&mut self, element: &Element) -> bool {
        if self.spoilt.contains(&element.key) {
            return false;
        }
        let taken = self.take_listed(element) || self.take_other(element);
        self.count -= usize::from(taken);
        taken
    }

    fn take_listed(&mut self, element: &Element) -> bool {
        let (Value::Endpoint(endpoint), None) = (element.value, &element.comment) else {
            return false;
        };
        let Some((frontend, slot)) = self.listed(&element.key) else { return false };
        let list = self.slots.get_mut(&frontend);
        let place = list.and_then(|list| list.get_mut(slot)).filter(|it| **it == Some(endpoint));
        place.is_some_and(|place| place.take().is_some())
    }

    fn take_other(&mut self, element: &Element) -> bool {
        match self.others.entry(element.key) {
            Entry::Occupied(there) if there.get().is(element) => {
                there.remove();
                true
            }
            _ => false,
        }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The elements of a container whose keys do not end in a slot.
    pub(crate) fn without_slots(&self) -> impl Iterator<Item = (&Key, &ObservedElement)> {
        self.others.iter()
    }

    /// The keys, sorted.
    pub(crate) fn into_keys(self) -> Vec<Key> {
        let listed = self.slots.iter().flat_map(|(frontend, list)| {
            let taken = (0u32..).zip(list).filter(|(_, place)| place.is_some());
            taken.map(|(slot, _)| frontend.with_slot(slot))
        });
        let mut keys: Vec<Key> = listed.chain(self.others.keys().copied()).collect();
        keys.sort_unstable();
        keys
    }

    /// The frontend and the slot of a key, if it is kept in a list.
    fn listed(&self, key: &Key) -> Option<(Key, usize)> {
        let (frontend, slot) = key.split_slot().filter(|_| self.lists_endpoints)?;
        (slot < LISTED_SLOTS).then_some((frontend, usize::try_from(slot).ok()?))
    }
}

#[cfg(test)]
mod tests {
    use portolan_core::Protocol;

    use super::*;

    fn element(port: u16, slot: u32, value: Value, comment: Option<&str>) -> Element {
        let frontend = Key::frontend("172.30.0.41".parse().ok(), Protocol::Tcp, port);
        Element { key: frontend.with_slot(slot), value, comment: comment.map(Into::into) }
    }

    fn endpoint(last: u8) -> Value {
        Value::Endpoint(EndpointAddress { ip: [10, 0, 0, last].into(), port: 8080 })
    }

    #[test]
    fn what_is_entered_is_found_and_taken_whatever_its_kind() {
        let elements = [
            element(80, 0, endpoint(1), None),
            element(80, 7, endpoint(2), None),
            element(81, 0, endpoint(3), Some("someone's")),
            element(81, 1, Value::Foreign, None),
            element(82, LISTED_SLOTS - 1, endpoint(4), None),
            element(82, LISTED_SLOTS, endpoint(5), None),
            element(82, u32::MAX, endpoint(6), None),
        ];
        for lists_endpoints in [true, false] {
            let mut observed = ObservedElements::new(lists_endpoints);
            for Element { key, value, comment } in elements.clone() {
                let there = ObservedElement { value, comment };
                observed.insert(key, there.clone());
                observed.insert(key, there);
            }
            assert_eq!(observed.len(), elements.len());
            let mut keys: Vec<Key> = elements.iter().map(|element| element.key).collect();
            keys.sort_unstable();
            assert_eq!(observed.clone().into_keys(), keys);
            for element in &elements {
                assert_eq!(observed.value(&element.key), Some(element.value), "{element:?}");
                let other = Element { value: endpoint(9), ..element.clone() };
                assert!(!observed.take(&other), "{element:?}");
                let other = Element { comment: Some("other".into()), ..element.clone() };
                assert!(!observed.take(&other), "{element:?}");
                assert!(observed.take(element) && !observed.take(element), "{element:?}");
                assert_eq!(observed.value(&element.key), None, "{element:?}");
            }
            assert!(observed.is_empty() && observed.into_keys().is_empty());
        }
    }

    #[test]
    fn what_is_spoilt_is_found_and_not_taken() {
        for lists_endpoints in [true, false] {
            let mut observed = ObservedElements::new(lists_endpoints);
            let elements = [0, 1].map(|slot| element(80, slot, endpoint(1), None));
            for Element { key, value, comment } in elements.clone() {
                observed.insert(key, ObservedElement { value, comment });
            }
            let [spoilt, sound] = elements;
            observed.spoil(spoilt.key);
            assert!(!observed.take(&spoilt) && observed.take(&sound));
            assert_eq!(observed.value(&spoilt.key), Some(spoilt.value));
            assert_eq!((observed.len(), observed.into_keys()), (1, vec![spoilt.key]));
        }
    }

    #[test]
    fn keys_that_hold_no_slot_are_entered_all_the_same() {
        for length in 0..=8 {
            let key = Key::from_kernel(&vec![7; length]).unwrap();
            let mut observed = ObservedElements::new(true);
            observed.insert(key, ObservedElement { value: endpoint(1), comment: None });
            assert_eq!(observed.value(&key), Some(endpoint(1)), "{length} bytes");
            assert_eq!(observed.into_keys(), [key], "{length} bytes");
        }
    }
}
