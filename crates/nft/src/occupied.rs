//! Who is in the slots and seats of a pool, as far as the kernel's table tells.
//!
//! Others may have deleted or changed any element. Whatever is left says where the rest was:
//! a seat's element names the endpoint that the slot's element no longer leads to, and other
//! frontends of the same pool have the same slots and seats.

use std::collections::{HashMap, HashSet};

use portolan_core::{EndpointAddress, Pool, PortPlan};

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
        let mut occupied = Occupied::default();
        let wanted = port.pool(pool);
        for frontend in &port.frontends {
            let (key, kind) = (frontend_key(port, frontend), entry_kind(frontend));
            for (used, side) in pools(frontend).into_iter().zip([Pool::Cluster, Pool::Local]) {
                if used != Some(pool) || occupied.has_all(wanted, port.affinity.is_some()) {
                    continue;
                }
                if port.affinity.is_none() {
                    let container = endpoints_of(observed, key, kind, side);
                    occupied.enter_plain_slots(wanted.len(), observed, &key, container);
                    continue;
                }
                let seats = Seats { observed, key, kind, side };
                occupied.enter_seated_slots(wanted.len(), seats);
                if !occupied.has_all(wanted, true) {
                    occupied.enter_seats(wanted, seats);
                }
            }
        }
        occupied
    }

    /// Whether nothing is left to be found out.
    fn has_all(&self, wanted: &[EndpointAddress], with_seats: bool) -> bool {
        let has_seat = |endpoint| self.seats.contains_key(endpoint);
        self.slots.len() >= wanted.len()
            && self.slots.iter().all(Option::is_some)
            && (!with_seats || wanted.iter().all(has_seat))
    }

    /// Enters who is in so many slots; there are as many as there are endpoints, and further
    /// ones can be used by nobody.
    fn enter_slots(&mut self, count: usize, find: impl Fn(u32) -> Option<EndpointAddress>) {
        self.slots.resize(count, None);
        for (number, slot) in (0u32..).zip(&mut self.slots) {
            *slot = slot.or_else(|| find(number));
        }
    }

    /// Enters who is in so many slots of a frontend without session affinity.
    fn enter_plain_slots(
        &mut self,
        count: usize,
        observed: &ObservedTable,
        frontend: &Key,
        container: Container,
    ) {
        let elements = observed.elements.get(&container);
        let listed = elements.map_or(&[][..], |elements| elements.listed_slots(frontend));
        self.enter_slots(count, |slot| {
            let listed = listed.get(usize::try_from(slot).ok()?).copied().flatten();
            listed.or_else(|| slot_endpoint(observed, frontend, container, slot))
        });
    }

    /// Enters who is in so many slots, and which seats these lead to. The seats of further slots
    /// are entered as far as there are any, for their endpoints may move into these slots.
    fn enter_seated_slots(&mut self, count: usize, of: Seats<'_>) {
        let mut endpoints = Vec::with_capacity(count);
        for slot in 0u32.. {
            let seat = of.slot(slot);
            if seat.is_none() && endpoints.len() >= count {
                break;
            }
            let endpoint = seat.and_then(|seat| of.endpoint(seat));
            if let Some(seat) = seat {
                self.enter_seat(seat, endpoint);
            }
            endpoints.push(endpoint);
        }
        self.enter_slots(count, |slot| {
            endpoints.get(usize::try_from(slot).ok()?).copied().flatten()
        });
    }

    /// Enters the seats of those who are wanted, and seats without an endpoint, whichever slot
    /// they belong to. Seats are given from zero on, so few are higher than there are endpoints.
    fn enter_seats(&mut self, wanted: &[EndpointAddress], of: Seats<'_>) {
        let wanted_here: HashSet<&EndpointAddress> = wanted.iter().collect();
        let count = of.listed().saturating_add(wanted.len());
        for seat in (0..FIRST_SLOT).take(count) {
            match of.endpoint(seat) {
                Some(endpoint) if wanted_here.contains(&endpoint) => {
                    self.enter_seat(seat, Some(endpoint));
                }
                None if of.is_taken(seat) => self.enter_seat(seat, None),
                _ => {}
            }
        }
    }

    fn enter_seat(&mut self, seat: u32, endpoint: Option<EndpointAddress>) {
        match endpoint {
            Some(endpoint) => _ = self.seats.entry(endpoint).or_insert(seat),
            None => self.unknown_seats.push(seat),
        }
    }
}

/// The seats of one frontend.
#[derive(Clone, Copy)]
struct Seats<'a> {
    observed: &'a ObservedTable,
    key: Key,
    kind: EntryKind,
    side: Pool,
}

impl Seats<'_> {
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

/// The map that a frontend's verdict leads to, and where there is none, that which ours would.
fn endpoints_of(observed: &ObservedTable, key: Key, kind: EntryKind, side: Pool) -> Container {
    let [inside, outside] =
        observed.value(Container::Verdicts(kind), &key).map_or([None, None], draws);
    let draw = if side == Pool::Cluster { inside } else { outside };
    let part = draw.map_or_else(|| observed.parts.of(kind, side, &key), |draw| draw.part);
    Container::Endpoints(kind, side, part)
}
