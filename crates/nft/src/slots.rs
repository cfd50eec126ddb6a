//! Which endpoint of a pool is in which slot.
//!
//! A pool of N endpoints fills the slots 0 to N - 1, each with equal probability, so the
//! order means nothing to clients. It is chosen so that as few elements as possible change:
//! an endpoint stays where the kernel has it, and a new one takes the place of one that went.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use portolan_core::{EndpointAddress, Family, Pool, PortPlan, Protocol, ServicePlan};

use crate::container::FIRST_SLOT;
use crate::occupied::Occupied;

/// The slots of one pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Slots {
    /// Who is in each slot.
    pub(crate) endpoints: Vec<EndpointAddress>,
    /// The seat of each slot's endpoint; empty without session affinity. Clients remember
    /// seats: an endpoint keeps its own while it lives, whatever its slot.
    pub(crate) seats: Vec<u32>,
}

/// The slots of a port's two pools.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PortSlots {
    /// The slots of [`PortPlan::cluster`].
    cluster: Slots,
    /// The slots of [`PortPlan::local`].
    local: Slots,
}

impl PortSlots {
    /// The slots of a pool.
    pub(crate) fn pool(&self, pool: Pool) -> &Slots {
        match pool {
            Pool::Cluster => &self.cluster,
            Pool::Local => &self.local,
        }
    }
}

/// A plan whose endpoints have slots: what the kernel holds of a service.
#[derive(Clone, Debug)]
pub(crate) struct PlacedService {
    /// The plan.
    pub(crate) plan: Arc<ServicePlan>,
    /// One for each of the plan's ports, in their order.
    pub(crate) slots: Vec<PortSlots>,
}

impl PlacedService {
    /// Places a plan beside what is there: `occupied` says who is in a pool's slots now.
    pub(crate) fn new(
        plan: Arc<ServicePlan>,
        occupied: &dyn Fn(&PortPlan, Pool) -> Occupied,
    ) -> PlacedService {
        let fill = |port: &PortPlan, pool| {
            let occupied = occupied(port, pool);
            let endpoints = assign(port.pool(pool), &occupied.slots);
            let seats = match port.affinity {
                Some(_) => seat(&endpoints, &occupied),
                None => Vec::new(),
            };
            Slots { endpoints, seats }
        };
        let place = |port: &PortPlan| PortSlots {
            cluster: fill(port, Pool::Cluster),
            local: fill(port, Pool::Local),
        };
        let slots = plan.ports.iter().map(place).collect();
        PlacedService { plan, slots }
    }

    /// Places a plan where nothing is.
    pub(crate) fn fresh(plan: Arc<ServicePlan>) -> PlacedService {
        PlacedService::new(plan, &|_, _| Occupied::default())
    }

    /// Places the plan that follows this one.
    pub(crate) fn succeeded_by(&self, plan: Arc<ServicePlan>) -> PlacedService {
        PlacedService::new(plan, &|port, pool| {
            let same = |(old, _): &(&PortPlan, &PortSlots)| port_key(old) == port_key(port);
            let slots = self.ports().find(same).map(|(_, slots)| slots.pool(pool));
            slots.map(Occupied::from).unwrap_or_default()
        })
    }

    /// The ports with their slots.
    pub(crate) fn ports(&self) -> impl Iterator<Item = (&PortPlan, &PortSlots)> {
        self.plan.ports.iter().zip(&self.slots)
    }
}

/// What makes a port of the next plan the same port: its first frontend, by which the
/// kernel knows it. A renamed port keeps its slots.
fn port_key(port: &PortPlan) -> (Family, Protocol, Option<(Option<IpAddr>, u16)>) {
    let first = port.frontends.first();
    let first = first.map(|frontend| (frontend.destination.address(), frontend.port));
    (port.family, port.protocol, first)
}

/// Gives each endpoint of a pool a slot.
fn assign(pool: &[EndpointAddress], occupied: &[Option<EndpointAddress>]) -> Vec<EndpointAddress> {
    if occupied.is_empty() {
        return pool.to_vec();
    }
    let wanted: HashSet<&EndpointAddress> = pool.iter().collect();
    let mut placed = HashSet::with_capacity(pool.len());
    let kept: Vec<Option<EndpointAddress>> = (0..pool.len())
        .map(|slot| {
            let endpoint = (*occupied.get(slot)?)?;
            (wanted.contains(&endpoint) && placed.insert(endpoint)).then_some(endpoint)
        })
        .collect();
    let mut rest = pool.iter().filter(|endpoint| !placed.contains(endpoint));
    kept.into_iter().filter_map(|slot| slot.or_else(|| rest.next().copied())).collect()
}

/// Gives each endpoint a seat: the one that it had. If that is not known, then one of which it
/// is not known either whose it is, for that may be its own; else that of one that went, so that
/// a new endpoint inherits clients; else the first that is free.
fn seat(endpoints: &[EndpointAddress], occupied: &Occupied) -> Vec<u32> {
    let mut taken = HashSet::with_capacity(endpoints.len());
    let mut take = |seat: &u32| taken.insert(*seat);
    let own = |endpoint| occupied.seats.get(endpoint).copied().filter(&mut take);
    let kept: Vec<Option<u32>> = endpoints.iter().map(own).collect();
    let mut left: Vec<u32> = occupied.seats.values().copied().collect();
    left.sort_unstable();
    let others = occupied.unknown_seats.iter().copied().chain(left).chain(0..FIRST_SLOT);
    let mut others = others.filter(take);
    kept.into_iter().filter_map(|seat| seat.or_else(|| others.next())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pool(ports: impl IntoIterator<Item = u16>) -> Vec<EndpointAddress> {
        let ip = "10.0.0.1".parse().unwrap();
        ports.into_iter().map(|port| EndpointAddress { ip, port }).collect()
    }

    fn occupied(
        ports: impl IntoIterator<Item = impl Into<Option<u16>>>,
    ) -> Vec<Option<EndpointAddress>> {
        let endpoint = |port: Option<u16>| port.and_then(|port| pool([port]).pop());
        ports.into_iter().map(Into::into).map(endpoint).collect()
    }

    #[test]
    fn a_replaced_endpoint_changes_one_slot() {
        assert_eq!(assign(&pool([1, 3, 9]), &occupied([3, 2, 1])), pool([3, 9, 1]));
    }

    #[test]
    fn scaling_up_adds_at_the_end() {
        assert_eq!(assign(&pool([0, 1, 2, 3]), &occupied([3, 2, 1])), pool([3, 2, 1, 0]));
    }

    #[test]
    fn scaling_down_moves_the_last_into_the_gap() {
        assert_eq!(assign(&pool([1, 2]), &occupied([3, 2, 1])), pool([1, 2]));
        assert_eq!(assign(&pool([2, 3]), &occupied([3, 2, 1])), pool([3, 2]));
    }

    #[test]
    fn an_endpoint_whose_slot_is_unknown_gets_one_that_nobody_is_known_to_have() {
        let there = occupied([Some(3), None, Some(1), Some(4)]);
        assert_eq!(assign(&pool([1, 2, 3, 4]), &there), pool([3, 2, 1, 4]));
    }

    #[test]
    fn an_endpoint_that_the_kernel_has_twice_is_placed_once() {
        assert_eq!(assign(&pool([1, 2]), &occupied([1, 1])), pool([1, 2]));
    }

    #[test]
    fn an_endpoint_keeps_its_seat_and_a_new_one_inherits_that_of_one_that_went() {
        let before = Slots { endpoints: pool([3, 2, 1]), seats: vec![3, 4, 5] };
        for (endpoints, seats) in [
            (pool([1, 2]), vec![5, 4]),
            (pool([3, 9, 1]), vec![3, 4, 5]),
            (pool([3, 2, 1, 9]), vec![3, 4, 5, 0]),
            (pool([9, 1]), vec![3, 5]),
        ] {
            assert_eq!(seat(&endpoints, &Occupied::from(&before)), seats, "{endpoints:?}");
        }
        assert_eq!(seat(&pool([5, 6]), &Occupied::default()), [0, 1]);
    }

    #[test]
    fn an_endpoint_whose_seat_is_unknown_gets_one_that_nobody_is_known_to_have() {
        let seats = pool([3, 2]).into_iter().zip([0, 7]).collect();
        let before = Occupied { seats, unknown_seats: vec![9, 7], ..Occupied::default() };
        assert_eq!(seat(&pool([1, 2]), &before), [9, 7]);
        assert_eq!(seat(&pool([1, 2, 4]), &before), [9, 7, 0]);
    }

    proptest! {
        #[test]
        fn every_endpoint_has_exactly_one_slot(
            wanted in prop::collection::btree_set(0..20u16, 0..20),
            there in prop::collection::vec(prop::option::of(0..20u16), 0..24),
        ) {
            let wanted = pool(wanted);
            let mut placed = assign(&wanted, &occupied(there));
            placed.sort_unstable();
            prop_assert_eq!(placed, wanted);
        }

        #[test]
        fn what_is_placed_stays_where_it_is(
            wanted in prop::collection::btree_set(0..20u16, 0..20),
            there in prop::collection::vec(prop::option::of(0..20u16), 0..24),
        ) {
            let wanted = pool(wanted);
            let placed = assign(&wanted, &occupied(there));
            let there: Vec<_> = placed.iter().copied().map(Some).collect();
            prop_assert_eq!(assign(&wanted, &there), placed);
        }
    }
}
