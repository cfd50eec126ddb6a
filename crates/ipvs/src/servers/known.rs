//! A virtual server as the kernel has it, and what brings its destinations to what is wanted.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use portolan_netlink::ipvs::{Destination, DestinationState, Operation, Server, ServerKey};

use crate::schedulers::{Schedulers, full_weight};
use crate::wanted::{Wanted, has_connections};

/// A virtual server as the kernel has it.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) server: Server,
    pub(crate) destinations: BTreeMap<SocketAddr, Phase>,
}

/// What a destination is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// New connections.
    Serving,
    /// Those that it has, since then.
    Draining(Instant),
    /// What others want of it: it is not as we leave destinations.
    Changed,
}

/// Where the connections of a server may stay.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stay<'a> {
    /// Where new ones go.
    serving: &'a [SocketAddr],
    /// Where else.
    besides: &'a [SocketAddr],
    /// Nowhere else than there.
    ends_elsewhere: bool,
}

impl Stay<'_> {
    pub(super) fn of(wanted: &Wanted) -> Stay<'_> {
        Stay {
            serving: &wanted.destinations,
            besides: &wanted.may_stay,
            ends_elsewhere: wanted.ends_elsewhere,
        }
    }

    /// Whether connections to a destination end.
    fn ends(&self, address: &SocketAddr) -> bool {
        self.ends_elsewhere && self.besides.binary_search(address).is_err()
    }

    pub(super) const fn without_service(key: &ServerKey) -> Stay<'static> {
        Stay { serving: &[], besides: &[], ends_elsewhere: !has_connections(key) }
    }
}

impl Known {
    pub(super) fn is_waiting(&self) -> bool {
        self.destinations.values().any(|phase| matches!(phase, Phase::Draining(_)))
    }

    /// Whether the server has the destinations that we know, as we left them.
    pub(super) fn has_as_known(&self, states: &[DestinationState]) -> bool {
        let is_as_known = |state: &DestinationState| {
            let phase = self.destinations.get(&state.destination.address);
            phase.is_some_and(|phase| phase.is_as_known(state, self.full_weight()))
        };
        states.len() == self.destinations.len() && states.iter().all(is_as_known)
    }

    /// The weight of destinations that get new connections.
    fn full_weight(&self) -> u32 {
        full_weight(&self.server.scheduler)
    }

    /// The server is changed in place. Its destinations may have to have another weight.
    pub(super) fn change(&mut self, server: Server) {
        let before = self.full_weight();
        self.server = server;
        if self.full_weight() != before {
            let serving = self.destinations.values_mut().filter(|phase| **phase == Phase::Serving);
            serving.for_each(|phase| *phase = Phase::Changed);
        }
    }

    /// What the server is to be, as it can be had.
    pub(super) fn is_to_be(&self, wanted: &Wanted, schedulers: &Schedulers) -> Server {
        schedulers.available(&wanted.server, self.is_to_wait(Stay::of(wanted)))
    }

    /// Whether connections stay with a destination that is to have no new ones.
    fn is_to_wait(&self, stay: Stay<'_>) -> bool {
        let waits = |address| stay.serving.binary_search(address).is_err() && !stay.ends(address);
        self.destinations.keys().any(waits)
    }

    /// Lets these destinations have new connections.
    pub(super) fn serve(&mut self, wanted: &[SocketAddr], operations: &mut Vec<Operation>) {
        let (key, weight) = (self.server.key, self.full_weight());
        for address in wanted {
            let destination = Destination { address: *address, weight };
            match self.destinations.insert(*address, Phase::Serving) {
                None => operations.push(Operation::AddDestination(key, destination)),
                Some(Phase::Serving) => {}
                Some(Phase::Draining(_) | Phase::Changed) => {
                    operations.push(Operation::ChangeDestination(key, destination));
                }
            }
        }
    }

    /// Lets all other destinations have no new connections. Where those that they have may
    /// not stay they are deleted at once, and the kernel forgets their connections
    /// (`net.ipv4.vs.expire_nodest_conn`): a client of UDP that keeps its socket would never
    /// notice that nobody is there.
    pub(super) fn retire(&mut self, stay: Stay<'_>, now: Instant, operations: &mut Vec<Operation>) {
        let key = self.server.key;
        self.destinations.retain(|address, phase| {
            if stay.serving.binary_search(address).is_ok() {
                return true;
            }
            if stay.ends(address) {
                operations.push(Operation::DeleteDestination(key, *address));
                return false;
            }
            phase.drain(key, *address, now, operations);
            true
        });
    }

    /// Lets no destination have new connections.
    pub(super) fn drain(&mut self, now: Instant, operations: &mut Vec<Operation>) {
        for (address, phase) in &mut self.destinations {
            phase.drain(self.server.key, *address, now, operations);
        }
    }
}

impl Phase {
    /// Of a destination that was found, where those that serve have this weight.
    pub(super) fn of(state: &DestinationState, full_weight: u32, now: Instant) -> Phase {
        match state.destination.weight {
            weight if weight == full_weight && state.plain => Phase::Serving,
            0 => Phase::Draining(now),
            _ => Phase::Changed,
        }
    }

    /// Whether a destination is as it was left.
    fn is_as_known(self, state: &DestinationState, full_weight: u32) -> bool {
        match self {
            Phase::Serving => state.destination.weight == full_weight && state.plain,
            Phase::Draining(_) => state.destination.weight == 0,
            Phase::Changed => false,
        }
    }

    fn drain(
        &mut self,
        key: ServerKey,
        address: SocketAddr,
        now: Instant,
        operations: &mut Vec<Operation>,
    ) {
        if !matches!(self, Phase::Draining(_)) {
            *self = Phase::Draining(now);
            let destination = Destination { address, weight: 0 };
            operations.push(Operation::ChangeDestination(key, destination));
        }
    }
}
