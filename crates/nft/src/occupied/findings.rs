//! What is found out about a pool, frontend by frontend.
//!
//! A frontend has every endpoint in one slot and in one seat. Where it has one in two, others
//! led one of them there, and this frontend does not say which.

use std::collections::HashSet;
use std::collections::hash_map::Entry;

use portolan_core::EndpointAddress;

use super::Occupied;

/// Who is where, and where that is in doubt.
#[derive(Debug, Default)]
pub(super) struct Findings {
    occupied: Occupied,
    /// Slots of endpoints that the same frontend has in further ones.
    doubtful_slots: Vec<(u32, EndpointAddress)>,
    /// Seats of endpoints that the same frontend has in further ones.
    doubtful_seats: Vec<(u32, EndpointAddress)>,
}

impl Findings {
    /// Whether nothing is left to be found out.
    pub(super) fn has_all(&self, wanted: &[EndpointAddress], with_seats: bool) -> bool {
        let Occupied { slots, seats, .. } = &self.occupied;
        slots.len() >= wanted.len()
            && slots.iter().all(Option::is_some)
            && (!with_seats || wanted.iter().all(|endpoint| seats.contains_key(endpoint)))
    }

    /// Enters who is in the slots of a frontend. Of so many: there are as many as there are
    /// endpoints, and further ones can be used by nobody.
    pub(super) fn enter_slots(&mut self, count: usize, found: &[Option<EndpointAddress>]) {
        let doubtful = repeated(found.iter().copied().flatten().collect());
        self.occupied.slots.resize(count, None);
        for ((number, slot), found) in (0u32..).zip(&mut self.occupied.slots).zip(found) {
            match found {
                Some(endpoint) if doubtful.contains(endpoint) => {
                    self.doubtful_slots.push((number, *endpoint));
                }
                found => *slot = slot.or(*found),
            }
        }
    }

    /// Enters who is in the seats of a frontend, as far as that is known.
    pub(super) fn enter_seats(&mut self, found: &[(u32, Option<EndpointAddress>)]) {
        let known = found.iter().filter_map(|(seat, endpoint)| Some(((*endpoint)?, *seat)));
        let mut known: Vec<(EndpointAddress, u32)> = known.collect();
        known.sort_unstable();
        known.dedup();
        let doubtful = repeated(known.into_iter().map(|(endpoint, _)| endpoint).collect());
        for (seat, endpoint) in found {
            match endpoint {
                Some(endpoint) if doubtful.contains(endpoint) => {
                    self.doubtful_seats.push((*seat, *endpoint));
                }
                Some(endpoint) => _ = self.occupied.seats.entry(*endpoint).or_insert(*seat),
                None => self.occupied.unknown_seats.push(*seat),
            }
        }
    }

    /// Who is where. What no frontend says without doubt is taken for true where it was found
    /// first.
    pub(super) fn settle(self) -> Occupied {
        let Findings { mut occupied, doubtful_slots, doubtful_seats } = self;
        if doubtful_slots.is_empty() && doubtful_seats.is_empty() {
            return occupied;
        }
        let mut placed: HashSet<_> = occupied.slots.iter().copied().flatten().collect();
        for (number, endpoint) in doubtful_slots {
            let slot = usize::try_from(number).ok().and_then(|it| occupied.slots.get_mut(it));
            if let Some(slot @ None) = slot
                && placed.insert(endpoint)
            {
                *slot = Some(endpoint);
            }
        }
        let mut taken: HashSet<u32> = occupied.seats.values().copied().collect();
        for (seat, endpoint) in doubtful_seats {
            match occupied.seats.entry(endpoint) {
                Entry::Vacant(unseated) if taken.insert(seat) => _ = unseated.insert(seat),
                _ => occupied.unknown_seats.push(seat),
            }
        }
        occupied
    }
}

/// Those that are there more than once.
fn repeated(mut endpoints: Vec<EndpointAddress>) -> HashSet<EndpointAddress> {
    endpoints.sort_unstable();
    endpoints.windows(2).filter(|pair| pair.first() == pair.last()).flatten().copied().collect()
}
