//! The virtual servers that we keep, and what has to be done to make them as Services want
//! them.
//!
//! ```text
//!  before the table leads clients there     servers and destinations are added
//!  after the table leads nobody there       destinations get weight 0, and are deleted when
//!                                           nobody uses them any more
//! ```

mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::time::Instant;

use portolan_core::ObjectName;
use portolan_netlink::ipvs::{Destination, DestinationState, Operation, Server, ServerKey};

use crate::schedulers::Schedulers;
use crate::wanted::{Wanted, has_connections};

/// The weight of a destination that gets new connections.
const FULL_WEIGHT: u32 = 1;

/// Who wants a virtual server: those that have the address for themselves first, then by
/// name. The first has it.
pub(crate) type Claimant = (bool, ObjectName);

/// All virtual servers of ours.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    claims: HashMap<ServerKey, BTreeMap<Claimant, Wanted>>,
    /// How many claims ask for each scheduler.
    asked: BTreeMap<String, usize>,
    known: HashMap<ServerKey, Known>,
    /// Those of `known` that have something to wait for.
    draining: BTreeSet<ServerKey>,
    /// Those that others made. They are left alone.
    foreign: BTreeSet<ServerKey>,
}

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
}

/// What has to be done, in the order in which it has to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Steps {
    /// Servers that become ours, before they are.
    pub(crate) register: Vec<(ServerKey, String)>,
    pub(crate) servers: Vec<Operation>,
    pub(crate) destinations: Vec<Operation>,
    /// After the table leads nobody there any more.
    pub(crate) afterwards: Vec<Operation>,
}

impl Servers {
    /// A Service no longer wants a server.
    pub(crate) fn withdraw(&mut self, service: &ObjectName, wanted: &Wanted) {
        let key = wanted.server.key;
        if let Some(claims) = self.claims.get_mut(&key) {
            let gone = claims.remove(&(wanted.is_node_port, service.clone()));
            if claims.is_empty() {
                self.claims.remove(&key);
            }
            self.asks_no_longer(gone);
        }
    }

    /// A Service wants a server.
    pub(crate) fn claim(&mut self, service: &ObjectName, wanted: Wanted) {
        let claimant = (wanted.is_node_port, service.clone());
        match self.asked.get_mut(&wanted.server.scheduler) {
            Some(count) => *count += 1,
            None => drop(self.asked.insert(wanted.server.scheduler.clone(), 1)),
        }
        let before = self.claims.entry(wanted.server.key).or_default().insert(claimant, wanted);
        self.asks_no_longer(before);
    }

    fn asks_no_longer(&mut self, gone: Option<Wanted>) {
        let Some(Wanted { server: Server { scheduler, .. }, .. }) = gone else { return };
        if let Some(count) = self.asked.get_mut(&scheduler) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.asked.remove(&scheduler);
            }
        }
    }

    /// Nobody wants any server any more, but all connections may stay where they are.
    pub(crate) fn drain_all(&mut self, now: Instant, operations: &mut Vec<Operation>) {
        self.claims.clear();
        self.asked.clear();
        for (key, known) in &mut self.known {
            for (address, phase) in &mut known.destinations {
                if *phase == Phase::Serving {
                    *phase = Phase::Draining(now);
                    let destination = Destination { address: *address, weight: 0 };
                    operations.push(Operation::ChangeDestination(*key, destination));
                }
            }
            self.draining.insert(*key);
        }
    }

    /// The kernel has not done what [`Servers::settle`] took for done.
    pub(crate) fn not_done(&mut self, operation: &Operation) {
        match operation {
            Operation::AddServer(Server { key, .. }) => {
                self.known.remove(key);
                self.draining.remove(key);
            }
            Operation::ChangeServer(Server { key, .. }) => {
                // Whatever it has now, it is not what is wanted.
                if let Some(known) = self.known.get_mut(key) {
                    known.server.scheduler.clear();
                }
            }
            Operation::AddDestination(key, destination)
            | Operation::ChangeDestination(key, destination)
                if destination.weight > 0 =>
            {
                if let Some(known) = self.known.get_mut(key) {
                    known.destinations.remove(&destination.address);
                }
            }
            _ => {}
        }
    }

    /// A server turned out to be of others: it is left alone.
    pub(crate) fn is_of_others(&mut self, key: ServerKey) {
        self.known.remove(&key);
        self.draining.remove(&key);
        self.foreign.insert(key);
    }

    /// Works out what makes one server what is wanted of it, and takes it for done.
    pub(crate) fn settle(
        &mut self,
        key: ServerKey,
        schedulers: &Schedulers,
        now: Instant,
        steps: &mut Steps,
    ) {
        if self.foreign.contains(&key) {
            return;
        }
        let wanted = self.claims.get(&key).and_then(first);
        let Some(wanted) = wanted.filter(|wanted| !wanted.destinations.is_empty()) else {
            let stay = wanted.map_or(Stay::without_service(&key), Stay::of);
            let Some(known) = self.known.get_mut(&key) else { return };
            known.retire(stay, now, &mut steps.afterwards);
            if known.destinations.is_empty() {
                steps.afterwards.push(Operation::DeleteServer(key));
                self.known.remove(&key);
                self.draining.remove(&key);
            } else {
                self.draining.insert(key);
            }
            return;
        };
        let server = schedulers.available(&wanted.server);
        let known = self.known.entry(key).or_insert_with(|| {
            steps.register.push((key, wanted.comment.to_string()));
            steps.servers.push(Operation::AddServer(server.clone()));
            Known { server: server.clone(), destinations: BTreeMap::new() }
        });
        if known.server != server {
            steps.servers.push(Operation::ChangeServer(server.clone()));
            known.server = server;
        }
        known.serve(&wanted.destinations, &mut steps.destinations);
        known.retire(Stay::of(wanted), now, &mut steps.afterwards);
        if known.is_waiting() {
            self.draining.insert(key);
        } else {
            self.draining.remove(&key);
        }
    }

    /// Works out which destinations of a draining server have nobody left, or have waited
    /// since before `deadline`; `None` for no end. Returns whether the server itself goes.
    pub(crate) fn release(
        &mut self,
        key: ServerKey,
        states: &[DestinationState],
        deadline: Option<Instant>,
        operations: &mut Vec<Operation>,
    ) -> bool {
        let Some(known) = self.known.get_mut(&key) else {
            self.draining.remove(&key);
            return false;
        };
        let in_use: BTreeSet<SocketAddr> = states
            .iter()
            .filter(|state| state.active.saturating_add(state.inactive) > 0)
            .map(|state| state.destination.address)
            .collect();
        known.destinations.retain(|address, phase| match phase {
            Phase::Draining(since)
                if !in_use.contains(address) || deadline.is_some_and(|it| *since <= it) =>
            {
                operations.push(Operation::DeleteDestination(key, *address));
                false
            }
            _ => true,
        });
        let goes = known.destinations.is_empty() && !self.claims.get(&key).is_some_and(serves);
        if goes {
            operations.push(Operation::DeleteServer(key));
            self.known.remove(&key);
        }
        if goes || !self.known.get(&key).is_some_and(Known::is_waiting) {
            self.draining.remove(&key);
        }
        goes
    }
}

/// Who has a server.
fn first(claims: &BTreeMap<Claimant, Wanted>) -> Option<&Wanted> {
    claims.values().next()
}

/// Whether new connections go anywhere.
fn serves(claims: &BTreeMap<Claimant, Wanted>) -> bool {
    first(claims).is_some_and(|wanted| !wanted.destinations.is_empty())
}

impl Known {
    fn is_waiting(&self) -> bool {
        self.destinations.values().any(|phase| *phase != Phase::Serving)
    }

    /// Lets these destinations have new connections.
    fn serve(&mut self, wanted: &[SocketAddr], operations: &mut Vec<Operation>) {
        let key = self.server.key;
        for address in wanted {
            let destination = Destination { address: *address, weight: FULL_WEIGHT };
            match self.destinations.insert(*address, Phase::Serving) {
                None => operations.push(Operation::AddDestination(key, destination)),
                Some(Phase::Serving) => {}
                Some(Phase::Draining(_)) => {
                    operations.push(Operation::ChangeDestination(key, destination));
                }
            }
        }
    }

    /// Lets all other destinations have no new connections. Where those that they have may
    /// not stay they are deleted at once, and the kernel forgets their connections
    /// (`net.ipv4.vs.expire_nodest_conn`): a client of UDP that keeps its socket would never
    /// notice that nobody is there.
    fn retire(&mut self, stay: Stay<'_>, now: Instant, operations: &mut Vec<Operation>) {
        let key = self.server.key;
        self.destinations.retain(|address, phase| {
            if stay.serving.binary_search(address).is_ok() {
                return true;
            }
            if stay.ends_elsewhere && stay.besides.binary_search(address).is_err() {
                operations.push(Operation::DeleteDestination(key, *address));
                return false;
            }
            if *phase == Phase::Serving {
                *phase = Phase::Draining(now);
                let destination = Destination { address: *address, weight: 0 };
                operations.push(Operation::ChangeDestination(key, destination));
            }
            true
        });
    }
}

/// Where the connections of a server may stay.
#[derive(Clone, Copy, Debug)]
struct Stay<'a> {
    /// Where new ones go.
    serving: &'a [SocketAddr],
    /// Where else.
    besides: &'a [SocketAddr],
    /// Nowhere else than there.
    ends_elsewhere: bool,
}

impl Stay<'_> {
    fn of(wanted: &Wanted) -> Stay<'_> {
        Stay {
            serving: &wanted.destinations,
            besides: &wanted.may_stay,
            ends_elsewhere: wanted.ends_elsewhere,
        }
    }

    const fn without_service(key: &ServerKey) -> Stay<'static> {
        Stay { serving: &[], besides: &[], ends_elsewhere: !has_connections(key) }
    }
}

#[cfg(test)]
mod tests;
