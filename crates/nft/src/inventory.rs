//! The elements that a family's table should hold, made when they are asked for.
//!
//! All of them at once would take more memory than everything else that is known of a
//! cluster; nobody needs more than one at a time.

use std::collections::HashMap;
use std::net::IpAddr;

use portolan_core::{Family, ObjectName};

use crate::container::Container;
use crate::element::{Element, Selection, own_elements, shared_element};
use crate::partition::Partition;
use crate::slots::PlacedService;
use crate::structure::FamilySettings;

/// Where the elements of one family's table come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inventory<'a> {
    /// What the table's rules depend on; lists the addresses that take NodePorts.
    pub(crate) settings: &'a FamilySettings,
    /// The services of all families.
    pub(crate) services: &'a HashMap<ObjectName, PlacedService>,
    /// How many ports share an address of a set, in all families.
    pub(crate) shared: &'a HashMap<(Container, IpAddr), usize>,
    /// How the maps of endpoints are divided.
    pub(crate) partition: Partition,
}

impl Inventory<'_> {
    /// Hands out all elements, no key of a container twice.
    pub(crate) fn all(&self, visit: &mut dyn FnMut(Container, Element)) {
        self.select(None, visit);
    }

    /// Hands out the elements of one container.
    pub(crate) fn of(&self, container: Container, visit: &mut dyn FnMut(Element)) {
        self.select(Some(container), &mut |_, element| visit(element));
    }

    fn select(&self, container: Option<Container>, visit: &mut dyn FnMut(Container, Element)) {
        let family = self.settings.family;
        let selection = Selection { family: Some(family), container };
        let is_shared = container.is_some_and(Container::is_shared);
        for service in self.services.values().filter(|_| !is_shared) {
            own_elements(service, self.partition, selection, &mut |_, container, element| {
                visit(container, element);
            });
        }
        for (container, ip) in self.shared.keys() {
            if Family::of(*ip) == family && selection.has(*container) {
                visit(*container, shared_element(*container, *ip));
            }
        }
        if selection.has(Container::NodePortIps) {
            for ip in self.settings.node_port_addresses() {
                visit(Container::NodePortIps, shared_element(Container::NodePortIps, ip));
            }
        }
    }
}
