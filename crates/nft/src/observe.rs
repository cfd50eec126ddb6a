//! Reading our tables out of the kernel.

use std::collections::BTreeMap;

use portolan_core::{EndpointAddress, Family, Pool};
use portolan_netlink::NetlinkError;
use portolan_netlink::nftables::{Connection, Data, ElementView, Set, Verdict};

use crate::chain_name::{EntryKind, ServingChain};
use crate::container::{Container, FIRST_SLOT};
use crate::element::{Value, client_prefix};
use crate::key::{Key, endpoint_from_kernel};
use crate::lower::kernel_family;
use crate::observed_elements::ObservedElements;
use crate::partition::Parts;
use crate::table::{ObservedChain, ObservedElement, ObservedTable};

/// Reads a family's table; `None` if there is none.
pub(crate) fn observe(
    connection: &mut Connection,
    family: Family,
    table: &str,
) -> Result<Option<ObservedTable>, NetlinkError> {
    let Some(mut observed) = observe_structure(connection, family, table)? else {
        return Ok(None);
    };
    for container in Container::all(observed.parts) {
        if observed.sets.contains_key(container.name()) && !container.is_dynamic() {
            let mut reader = Reader::new(connection, family, table, container);
            let elements = reader.list()?;
            if reader.is_spoilt {
                observed.spoilt.insert(container);
            }
            observed.elements.insert(container, elements);
        }
    }
    Ok(Some(observed))
}

/// Reads a family's table without elements; `None` if there is none.
pub(crate) fn observe_structure(
    connection: &mut Connection,
    family: Family,
    table: &str,
) -> Result<Option<ObservedTable>, NetlinkError> {
    let kernel = kernel_family(family);
    let tables = connection.tables(kernel)?;
    let Some(listed) = tables.iter().find(|listed| listed.name == table) else {
        return Ok(None);
    };
    let mut observed = ObservedTable { is_dormant: listed.dormant, ..ObservedTable::default() };
    for chain in connection.chains(kernel, table)? {
        let there = ObservedChain { base: chain.base, rules: Vec::new() };
        observed.chains.insert(chain.name, there);
    }
    for listed in connection.rules(kernel, table)? {
        observed.chains.entry(listed.chain).or_default().rules.push(listed.rule);
    }
    for set in connection.sets(kernel, table)? {
        observed.sets.insert(set.name.clone(), set);
    }
    observed.parts = parts(family, &observed.sets);
    Ok(Some(observed))
}

/// How the map of endpoints is divided in a family's table with these sets. Others may have
/// put one of their own under a name of ours.
pub(crate) fn parts(family: Family, sets: &BTreeMap<String, Set>) -> Parts {
    let there = |part: &u16| {
        let container = Container::Endpoints(EntryKind::Address, Pool::Cluster, *part);
        sets.get(container.name()).is_some_and(|set| container.is_declared_by(family, set))
    };
    Parts::ALL.numbers().filter(there).last().map_or(Parts::ONE, Parts::with)
}

/// Reads the elements of one container.
struct Reader<'a> {
    connection: &'a mut Connection,
    family: Family,
    table: &'a str,
    container: Container,
    /// There is an element that cannot be deleted by its key.
    is_spoilt: bool,
}

impl<'a> Reader<'a> {
    fn new(
        connection: &'a mut Connection,
        family: Family,
        table: &'a str,
        container: Container,
    ) -> Reader<'a> {
        Reader { connection, family, table, container, is_spoilt: false }
    }

    /// All elements, as the kernel lists them.
    fn list(&mut self) -> Result<ObservedElements, NetlinkError> {
        let (container, family) = (self.container, kernel_family(self.family));
        let mut elements = ObservedElements::new(container.holds_endpoints());
        let mut is_spoilt = false;
        let visit = &mut |view: ElementView<'_>| {
            is_spoilt |= view.key.is_empty();
            enter(&mut elements, container, &view);
        };
        self.connection.elements(family, self.table, container.name(), visit)?;
        self.is_spoilt = is_spoilt;
        Ok(elements)
    }
}

/// A key that is none of ours belongs to a set that is declared otherwise, and that is made
/// again anyway.
fn enter(elements: &mut ObservedElements, container: Container, view: &ElementView<'_>) {
    if let Some(key) = Key::from_kernel(view.key) {
        let comment = view.comment.map(Into::into);
        elements.insert(key, ObservedElement { value: value(container, key, view), comment });
        if view.has_statements {
            elements.spoil(key);
        }
    }
}

fn value(container: Container, key: Key, view: &ElementView<'_>) -> Value {
    match view.data {
        None if container == Container::SourceRanges => {
            let last = view.key_end.and_then(Key::from_kernel);
            let prefix = last.and_then(|last| client_prefix(key, last));
            prefix.map_or(Value::Foreign, Value::Network)
        }
        None => Value::Present,
        Some(Data::Bytes(bytes)) if matches!(container, Container::Seats(..)) => {
            let seat = bytes.try_into().map(u32::from_ne_bytes);
            seat.map_or(Value::Foreign, Value::Seat)
        }
        Some(Data::Bytes(bytes)) => {
            endpoint_from_kernel(bytes).map_or(Value::Foreign, Value::Endpoint)
        }
        Some(Data::Verdict(Verdict::Drop)) => Value::Drop,
        Some(Data::Verdict(Verdict::Goto(chain))) => {
            ServingChain::from_name(chain).map_or(Value::Foreign, Value::Chain)
        }
        Some(Data::Verdict(_)) => Value::Foreign,
    }
}

/// Who is in a slot.
pub(crate) fn slot_endpoint(
    observed: &ObservedTable,
    frontend: &Key,
    container: Container,
    slot: u32,
) -> Option<EndpointAddress> {
    match observed.value(container, &frontend.with_slot(slot)) {
        Some(Value::Endpoint(endpoint)) => Some(endpoint),
        _ => None,
    }
}

/// Who is in a slot of a frontend with session affinity, and in which seat.
pub(crate) fn seated_endpoint(
    observed: &ObservedTable,
    frontend: &Key,
    kind: EntryKind,
    side: Pool,
    slot: u32,
) -> Option<(EndpointAddress, u32)> {
    let seat = seat_of_slot(observed, frontend, kind, side, slot)?;
    let container = Container::SeatedEndpoints(kind, side);
    Some((slot_endpoint(observed, frontend, container, seat)?, seat))
}

/// The seat that a slot of a frontend with session affinity leads to.
pub(crate) fn seat_of_slot(
    observed: &ObservedTable,
    frontend: &Key,
    kind: EntryKind,
    side: Pool,
    slot: u32,
) -> Option<u32> {
    let slot = frontend.with_slot(FIRST_SLOT.checked_add(slot)?);
    match observed.value(Container::Seats(kind, side), &slot) {
        Some(Value::Seat(seat)) => Some(seat),
        _ => None,
    }
}
