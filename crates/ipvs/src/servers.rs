//! The virtual servers that we keep, and what has to be done to make them as Services want
//! them.
//!
//! ```text
//!  before the table leads clients there     servers and destinations are added
//!  after the table leads nobody there       destinations get weight 0, and are deleted when
//!                                           nobody uses them any more
//! ```
//!
//! | module | |
//! |---|---|
//! | `claims` | who wants which server |
//! | `known` | a server as the kernel has it, and its destinations |
//! | `view` | questions about all of them |

mod claims;
mod known;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Instant;

use portolan_core::ObjectName;
use portolan_netlink::ipvs::{DestinationState, Operation, Server, ServerKey};

use self::claims::Claims;
pub(crate) use self::known::Known;
use self::known::{Phase, Stay};
use crate::schedulers::Schedulers;
use crate::wanted::Wanted;

/// All virtual servers of ours.
#[derive(Debug, Default)]
pub(crate) struct Servers {
    claims: Claims,
    known: BTreeMap<ServerKey, Known>,
    /// Those of `known` that have something to wait for.
    draining: BTreeSet<ServerKey>,
    /// Those that others made. They are left alone.
    foreign: BTreeSet<ServerKey>,
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
        self.claims.remove(service, wanted);
    }

    /// A Service wants a server.
    pub(crate) fn claim(&mut self, service: &ObjectName, wanted: Wanted) {
        self.claims.add(service, wanted);
    }

    /// Nobody wants any server any more, but all connections may stay where they are.
    pub(crate) fn drain_all(&mut self, now: Instant, operations: &mut Vec<Operation>) {
        self.claims = Claims::default();
        for (key, known) in &mut self.known {
            known.drain(now, operations);
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
        let Some(wanted) = self.claims.serving(&key) else {
            let stay = self.claims.of(&key).map_or(Stay::without_service(&key), Stay::of);
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
        let stay = Stay::of(wanted);
        let server = match self.known.get(&key) {
            Some(known) => known.is_to_be(wanted, schedulers),
            None => schedulers.available(&wanted.server, false),
        };
        let known = self.known.entry(key).or_insert_with(|| {
            steps.register.push((key, wanted.comment.to_string()));
            steps.servers.push(Operation::AddServer(server.clone()));
            Known { server: server.clone(), destinations: BTreeMap::new() }
        });
        if known.server != server {
            steps.servers.push(Operation::ChangeServer(server.clone()));
            known.change(server);
        }
        known.serve(&wanted.destinations, &mut steps.destinations);
        known.retire(stay, now, &mut steps.afterwards);
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
        let goes = known.destinations.is_empty() && self.claims.serving(&key).is_none();
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

#[cfg(test)]
mod tests;
