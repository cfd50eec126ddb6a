//! The elements that a placed service puts into the maps.

mod clients;
mod comment;
mod verdict;

use std::net::IpAddr;

use portolan_core::{
    Action, Destination, EndpointAddress, Family, Frontend, Pool, PortPlan, Traffic,
};

use self::clients::restriction;
pub(crate) use self::clients::{client_prefix, last_client};
use self::comment::comment;
use self::verdict::verdict_of;
pub(crate) use self::verdict::{draws, has_affinity};
use crate::chain_name::{EntryKind, ServingChain};
use crate::container::{Container, FIRST_SLOT};
use crate::key::Key;
use crate::partition::{Partition, Parts};
use crate::slots::{PlacedService, PortSlots, Slots};

/// What a key leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing: the key is in a set.
    Present,
    /// An endpoint.
    Endpoint(EndpointAddress),
    /// A chain.
    Chain(ServingChain),
    /// A seat.
    Seat(u32),
    /// The key is the first of a network with this prefix length.
    Network(u8),
    /// Silence.
    Drop,
    /// Something that is not ours; only in what is observed.
    Foreign,
}

/// An element of a set or map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    /// The key.
    pub(crate) key: Key,
    /// The value.
    pub(crate) value: Value,
    /// The comment; names the Service where the value is a verdict.
    pub(crate) comment: Option<Box<str>>,
}

/// Which elements are asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Selection {
    /// Those of this family; of both without one.
    pub(crate) family: Option<Family>,
    /// Those of this container; of all without one.
    pub(crate) container: Option<Container>,
}

impl Selection {
    /// All elements.
    pub(crate) const ALL: Selection = Selection { family: None, container: None };

    /// Whether elements of a container are asked for.
    pub(crate) fn has(self, container: Container) -> bool {
        self.container.is_none_or(|wanted| wanted == container)
    }

    /// Whether elements are asked for that there are more of the more endpoints there are.
    fn has_pools(self) -> bool {
        use Container::{Endpoints, SeatedEndpoints, Seats};
        self.container
            .is_none_or(|it| matches!(it, Endpoints(..) | Seats(..) | SeatedEndpoints(..)))
    }

    fn has_family(self, family: Family) -> bool {
        self.family.is_none_or(|wanted| wanted == family)
    }
}

/// Hands out the elements that only this service has.
pub(crate) fn own_elements(
    service: &PlacedService,
    partition: Partition,
    selection: Selection,
    emit: &mut dyn FnMut(Family, Container, Element),
) {
    for (port, slots) in service.ports().filter(|(port, _)| selection.has_family(port.family)) {
        let mut emit = |container, element| emit(port.family, container, element);
        let parts = partition.of(port.family);
        for frontend in &port.frontends {
            let kind = entry_kind(frontend);
            if selection.has(Container::Verdicts(kind)) {
                let (key, value) =
                    (frontend_key(port, frontend), verdict_of(port, slots, parts, frontend));
                let comment = comment(&service.plan.name, &port.name);
                emit(Container::Verdicts(kind), Element { key, value, comment });
            }
            if selection.has(Container::SourceRanges) {
                range_elements(port, frontend, &mut emit);
            }
            if selection.has_pools() {
                pool_elements(port, slots, (frontend, parts), selection, &mut emit);
            }
        }
    }
}

/// Hands out the addresses that this service shares with others: the set's element exists
/// as long as one service has it. An address may come several times.
pub(crate) fn shared_addresses(service: &PlacedService, emit: &mut dyn FnMut(Container, IpAddr)) {
    for port in &service.plan.ports {
        for frontend in &port.frontends {
            if let Destination::ClusterIp(ip) = frontend.destination {
                emit(Container::ClusterIps, ip);
            }
        }
        for ip in &port.hairpin {
            emit(Container::Hairpin, *ip);
        }
    }
}

/// The element of a shared address.
pub(crate) fn shared_element(container: Container, ip: IpAddr) -> Element {
    let key = match container {
        Container::Hairpin => Key::pair(ip),
        _ => Key::address(ip),
    };
    Element { key, value: Value::Present, comment: None }
}

/// How a frontend is found.
pub(crate) fn entry_kind(frontend: &Frontend) -> EntryKind {
    match frontend.destination {
        Destination::NodePort => EntryKind::NodePort,
        _ => EntryKind::Address,
    }
}

/// The key of a frontend, without slot.
pub(crate) fn frontend_key(port: &PortPlan, frontend: &Frontend) -> Key {
    Key::frontend(frontend.destination.address(), port.protocol, frontend.port)
}

/// Which pool of the plan fills which map for a frontend: first the one for pods and the
/// node, or everyone, then the one for clients that are confined to this node.
pub(crate) fn pools(frontend: &Frontend) -> [Option<Pool>; 2] {
    let pool = |action| match action {
        Action::Balance(pool) => Some(pool),
        Action::Reject | Action::Drop => None,
    };
    match frontend.traffic {
        Traffic::Everyone(action) => [pool(action), None],
        Traffic::ByOrigin { inside, outside } => [pool(inside), pool(outside)],
    }
}

/// Says how many elements of its own a service has in each container, with the value of each
/// verdict, without making them.
pub(crate) fn count_own_elements(
    service: &PlacedService,
    partition: Partition,
    count: &mut dyn FnMut(Family, Container, usize, Option<Value>),
) {
    for (port, slots) in service.ports() {
        let mut count = |container, elements, value| count(port.family, container, elements, value);
        let parts = partition.of(port.family);
        for frontend in &port.frontends {
            let kind = entry_kind(frontend);
            count(Container::Verdicts(kind), 1, Some(verdict_of(port, slots, parts, frontend)));
            let ranges = restriction(port, frontend).map_or(0, <[_]>::len);
            count(Container::SourceRanges, ranges, None);
            for (pool, side) in pools(frontend).into_iter().zip([Pool::Cluster, Pool::Local]) {
                let endpoints = pool.map_or(0, |pool| slots.pool(pool).endpoints.len());
                if port.affinity.is_some() {
                    count(Container::Seats(kind, side), 2 * endpoints, None);
                    count(Container::SeatedEndpoints(kind, side), endpoints, None);
                } else {
                    let part = parts.of(kind, side, &frontend_key(port, frontend));
                    count(Container::Endpoints(kind, side, part), endpoints, None);
                }
            }
        }
    }
}

/// The frontends of a port that have elements in the map of endpoints that is divided, with
/// the pool of which they have them.
pub(crate) fn in_parts(port: &PortPlan) -> impl Iterator<Item = (&Frontend, Pool)> {
    let frontends = port.frontends.iter().filter(|_| port.affinity.is_none());
    let by_address = frontends.filter(|it| entry_kind(it) == EntryKind::Address);
    by_address.filter_map(|frontend| {
        let [inside, _] = pools(frontend);
        Some((frontend, inside?))
    })
}

fn range_elements(port: &PortPlan, frontend: &Frontend, emit: &mut dyn FnMut(Container, Element)) {
    for range in restriction(port, frontend).unwrap_or_default() {
        let key = frontend_key(port, frontend).with_client(range.network());
        let value = Value::Network(range.prefix_len());
        emit(Container::SourceRanges, Element { key, value, comment: None });
    }
}

fn pool_elements(
    port: &PortPlan,
    slots: &PortSlots,
    (frontend, parts): (&Frontend, Parts),
    selection: Selection,
    emit: &mut dyn FnMut(Container, Element),
) {
    let key = frontend_key(port, frontend);
    let kind = entry_kind(frontend);
    for (pool, side) in pools(frontend).into_iter().zip([Pool::Cluster, Pool::Local]) {
        let Some(pool) = pool else { continue };
        let slots = slots.pool(pool);
        let container = Container::Endpoints(kind, side, parts.of(kind, side, &key));
        if port.affinity.is_some() {
            seat_elements(key, slots, kind, side, &mut |container, element| {
                if selection.has(container) {
                    emit(container, element);
                }
            });
        } else if selection.has(container) {
            for (slot, endpoint) in (0u32..).zip(&slots.endpoints) {
                let value = Value::Endpoint(*endpoint);
                emit(container, Element { key: key.with_slot(slot), value, comment: None });
            }
        }
    }
}

fn seat_elements(
    key: Key,
    slots: &Slots,
    kind: EntryKind,
    side: Pool,
    emit: &mut dyn FnMut(Container, Element),
) {
    for ((slot, endpoint), seat) in (FIRST_SLOT..).zip(&slots.endpoints).zip(&slots.seats) {
        for number in [slot, *seat] {
            let (key, value) = (key.with_slot(number), Value::Seat(*seat));
            emit(Container::Seats(kind, side), Element { key, value, comment: None });
        }
        let (key, value) = (key.with_slot(*seat), Value::Endpoint(*endpoint));
        emit(Container::SeatedEndpoints(kind, side), Element { key, value, comment: None });
    }
}
