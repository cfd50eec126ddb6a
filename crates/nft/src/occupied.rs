//! Who is in the slots and seats of a pool, as far as the kernel's table tells.
//!
//! Others may have deleted or changed any element. Whatever is left says where the rest was:
//! a seat's element names the endpoint that the slot's element no longer leads to, and other
//! frontends of the same pool have the same slots and seats.

mod findings;

use std::collections::{HashMap, HashSet};

use portolan_core::{EndpointAddress, Pool, PortPlan};

use self::findings::Findings;
use crate::chain_name::EntryKind;
use crate::container::{Container, FIRST_SLOT};
use crate::element::{Value, draws, entry_kind, frontend_key, pools};
use crate::key::Key;
use crate::observe::{seat_of_slot, slot_endpoint};
use crate::slots::Slots;
use crate::table::ObservedTable;

/// Who is where in a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Occupied {
    /// Who is in each slot, where that is known.
    pub(crate) slots: Vec<Option<EndpointAddress>>,
    /// The seats of endpoints.
    pub(crate) seats: HashMap<EndpointAddress, u32>,
    /// Seats that are taken, nobody knows by whom.
    pub(crate) unknown_seats: Vec<u32>,
}

impl From<&Slots> for Occupied {
    fn from(slots: &Slots) -> Occupied {
        let seated = slots.endpoints.iter().copied().zip(slots.seats.iter().copied());
        Occupied {
            slots: slots.endpoints.iter().copied().map(Some).collect(),
            seats: seated.collect(),
            unknown_seats: Vec::new(),
        }
    }
}

impl Occupied {
    /// What a table tells of a port's pool.
    pub(crate) fn observe(observed: &ObservedTable, port: &PortPlan, pool: Pool) -> Occupied {
        let mut findings = Findings::default();
        let wanted = port.pool(pool);
        for frontend in &port.frontends {
            let (key, kind) = (frontend_key(port, frontend), entry_kind(frontend));
            for (used, side) in pools(frontend).into_iter().zip([Pool::Cluster, Pool::Local]) {
                if used != Some(pool) || findings.has_all(wanted, port.affinity.is_some()) {
                    continue;
                }
                if port.affinity.is_some() {
                    Seats { observed, key, kind, side }.enter(wanted, &mut findings);
                    continue;
                }
                for container in endpoints_of(observed, key, kind, side) {
                    let slots = plain_slots(observed, &key, container, wanted.len());
                    findings.enter_slots(wanted.len(), &slots);
                    if findings.has_all(wanted, false) {
                        break;
                    }
                }
            }
        }
        findings.settle()
    }
}

/// Who is in the slots of a frontend without session affinity: in at least so many.
fn plain_slots(
    observed: &ObservedTable,
    frontend: &Key,
    container: Container,
    count: usize,
) -> Vec<Option<EndpointAddress>> {
    let elements = observed.elements.get(&container);
    let mut slots = elements.map_or(&[][..], |it| it.listed_slots(frontend)).to_vec();
    slots.resize(count.max(slots.len()), None);
    for (number, slot) in (0u32..).zip(&mut slots) {
        *slot = slot.or_else(|| slot_endpoint(observed, frontend, container, number));
    }
    slots
}

/// A seat and who is in it, where that is known.
type Seat = (u32, Option<EndpointAddress>);

/// The seats of one frontend.
#[derive(Clone, Copy)]
struct Seats<'a> {
    observed: &'a ObservedTable,
    key: Key,
    kind: EntryKind,
    side: Pool,
}

impl Seats<'_> {
    /// Enters what this frontend tells.
    fn enter(self, wanted: &[EndpointAddress], findings: &mut Findings) {
        let (slots, mut seats) = self.in_slots(wanted.len());
        findings.enter_slots(wanted.len(), &slots);
        let seated: HashSet<EndpointAddress> = seats.iter().filter_map(|(_, it)| *it).collect();
        if !findings.has_all(wanted, false) || !wanted.iter().all(|it| seated.contains(it)) {
            seats.extend(self.in_seats(wanted));
        }
        findings.enter_seats(&seats);
    }

    /// Who is in so many slots, and which seats these lead to. Further slots are looked into as
    /// far as there are any, for their endpoints may move into these.
    fn in_slots(self, count: usize) -> (Vec<Option<EndpointAddress>>, Vec<Seat>) {
        let (mut slots, mut seats) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for slot in 0u32.. {
            let seat = self.slot(slot);
            if seat.is_none() && slots.len() >= count {
                break;
            }
            let endpoint = seat.and_then(|seat| self.endpoint(seat));
            seats.extend(seat.map(|seat| (seat, endpoint)));
            slots.push(endpoint);
        }
        (slots, seats)
    }

    /// The seats of those who are wanted, and seats without an endpoint, whichever slot they
    /// belong to. Seats are given from zero on, so few are higher than there are endpoints.
    fn in_seats(self, wanted: &[EndpointAddress]) -> Vec<Seat> {
        let wanted_here: HashSet<&EndpointAddress> = wanted.iter().collect();
        let count = self.listed().saturating_add(wanted.len());
        let seats = (0..FIRST_SLOT).take(count).map(|seat| (seat, self.endpoint(seat)));
        let is_told = |(seat, endpoint): &Seat| match endpoint {
            Some(endpoint) => wanted_here.contains(endpoint),
            None => self.is_taken(*seat),
        };
        seats.filter(is_told).collect()
    }

    /// The seat that a slot leads to.
    fn slot(self, slot: u32) -> Option<u32> {
        let seat = seat_of_slot(self.observed, &self.key, self.kind, self.side, slot);
        seat.filter(|seat| *seat < FIRST_SLOT)
    }

    /// Who is in a seat.
    fn endpoint(self, seat: u32) -> Option<EndpointAddress> {
        let container = Container::SeatedEndpoints(self.kind, self.side);
        slot_endpoint(self.observed, &self.key, container, seat)
    }

    /// Whether clients that remember a seat are led to it.
    fn is_taken(self, seat: u32) -> bool {
        let container = Container::Seats(self.kind, self.side);
        self.observed.value(container, &self.key.with_slot(seat)) == Some(Value::Seat(seat))
    }

    /// A number that the seats of nearly all endpoints are below.
    fn listed(self) -> usize {
        let elements =
            self.observed.elements.get(&Container::SeatedEndpoints(self.kind, self.side));
        elements.map_or(0, |elements| elements.listed_slots(&self.key).len())
    }
}

/// The map that a frontend's verdict leads to, and that which ours would: others may have led the
/// verdict elsewhere.
fn endpoints_of(
    observed: &ObservedTable,
    key: Key,
    kind: EntryKind,
    side: Pool,
) -> impl Iterator<Item = Container> {
    let [inside, outside] =
        observed.value(Container::Verdicts(kind), &key).map_or([None, None], draws);
    let drawn = if side == Pool::Cluster { inside } else { outside }.map(|draw| draw.part);
    let ours = observed.parts.of(kind, side, &key);
    let parts = drawn.into_iter().chain((drawn != Some(ours)).then_some(ours));
    parts.map(move |part| Container::Endpoints(kind, side, part))
}
