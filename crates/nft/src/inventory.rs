//! The elements that a family's table should hold, made when they are asked for.
//!
//! All of them at once would take more memory than everything else that is known of a
//! cluster; nobody needs more than one at a time.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use portolan_core::{Family, ObjectName};

use crate::container::Container;
use crate::element::{Element, Selection, count_own_elements, own_elements, shared_element};
use crate::partition::Partition;
use crate::slots::PlacedService;
use crate::structure::FamilySettings;

/// Where the elements of one family's table come from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inventory<'a> {
    /// What the table's rules depend on; lists the addresses that take NodePorts.
    pub(crate) settings: &'a FamilySettings,
    /// The services of all families.
    pub(crate) services: &'a BTreeMap<ObjectName, PlacedService>,
    /// How many ports share an address of a set, in all families.
    pub(crate) shared: &'a BTreeMap<(Container, IpAddr), usize>,
    /// How the maps of endpoints are divided.
    pub(crate) partition: Partition,
}

impl Inventory<'_> {
    /// Hands out all elements, no key of a container twice.
    pub(crate) fn all(&self, visit: &mut dyn FnMut(Container, Element)) {
        self.select(None, &mut self.services.values(), visit);
    }

    /// Finds out which services have elements in which container, in one walk, for whoever is to
    /// fill several.
    pub(crate) fn sources(&self, containers: &[Container]) -> Sources<'_> {
        let mut sources = Sources::default();
        if containers.len() < 2 {
            return sources;
        }
        let wanted = containers.iter().filter(|container| !container.is_shared());
        sources.0 = wanted.map(|container| (*container, Vec::new())).collect();
        for service in self.services.values() {
            count_own_elements(service, self.partition, &mut |family, container, count, _| {
                if family == self.settings.family && count > 0 {
                    sources.enter(container, service);
                }
            });
        }
        sources
    }

    /// Hands out the elements of one container.
    pub(crate) fn of(
        &self,
        container: Container,
        sources: &Sources<'_>,
        visit: &mut dyn FnMut(Element),
    ) {
        let mut visit = |_, element| visit(element);
        match sources.0.get(&container) {
            Some(services) => {
                self.select(Some(container), &mut services.iter().copied(), &mut visit);
            }
            None => self.select(Some(container), &mut self.services.values(), &mut visit),
        }
    }

    fn select(
        &self,
        container: Option<Container>,
        services: &mut dyn Iterator<Item = &PlacedService>,
        visit: &mut dyn FnMut(Container, Element),
    ) {
        let family = self.settings.family;
        let selection = Selection { family: Some(family), container };
        let is_shared = container.is_some_and(Container::is_shared);
        for service in services.filter(|_| !is_shared) {
            own_elements(service, self.partition, selection, &mut |_, container, element| {
                visit(container, element);
            });
        }
        for container in
            [Container::ClusterIps, Container::Hairpin].into_iter().filter(|it| selection.has(*it))
        {
            let [first, last] = addresses(family);
            let all = (container, first)..=(container, last);
            for (_, ip) in self.shared.range(all).map(|(shared, _)| *shared) {
                visit(container, shared_element(container, ip));
            }
        }
        if selection.has(Container::NodePortIps) {
            for ip in self.settings.node_port_addresses() {
                visit(Container::NodePortIps, shared_element(Container::NodePortIps, ip));
            }
        }
    }
}

/// The first and the last address of a family.
fn addresses(family: Family) -> [IpAddr; 2] {
    match family {
        Family::V4 => [Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::BROADCAST.into()],
        Family::V6 => [Ipv6Addr::from(u128::MIN).into(), Ipv6Addr::from(u128::MAX).into()],
    }
}

/// The services that have elements in each container that is to be filled. Empty where there is
/// only one.
#[derive(Debug, Default)]
pub(crate) struct Sources<'a>(BTreeMap<Container, Vec<&'a PlacedService>>);

impl<'a> Sources<'a> {
    /// Enters a service, all of whose elements are found one after another.
    fn enter(&mut self, container: Container, service: &'a PlacedService) {
        let Some(services) = self.0.get_mut(&container) else { return };
        if services.last().is_none_or(|last| !std::ptr::eq(*last, service)) {
            services.push(service);
        }
    }
}
