//! What there is: as the kernel had it when it was looked at, and as it is known now.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::time::Instant;

use portolan_netlink::ipvs::{DestinationState, Server, ServerKey};

use super::Servers;
use super::known::{Known, Phase};
use crate::schedulers::{Schedulers, full_weight};

impl Servers {
    /// Starts from what the kernel has: ours with their destinations, and those of others.
    pub(crate) fn observed(
        ours: Vec<(Server, Vec<DestinationState>)>,
        foreign: BTreeSet<ServerKey>,
        now: Instant,
    ) -> Servers {
        let known = |(server, states): (Server, Vec<DestinationState>)| {
            let full = full_weight(&server.scheduler);
            let with_phase =
                |state: &DestinationState| (state.destination.address, Phase::of(state, full, now));
            let destinations = states.iter().map(with_phase).collect();
            (server.key, Known { server, destinations })
        };
        Servers { known: ours.into_iter().map(known).collect(), foreign, ..Servers::default() }
    }

    /// What has waited since an earlier observation goes on waiting since then.
    pub(crate) fn keep_waiting_since(&mut self, before: &Servers) {
        for (key, known) in &mut self.known {
            let Some(before) = before.known.get(key) else { continue };
            for (address, phase) in &mut known.destinations {
                if let (Phase::Draining(since), Some(Phase::Draining(earlier))) =
                    (&mut *phase, before.destinations.get(address))
                {
                    *since = (*since).min(*earlier);
                }
            }
        }
    }

    /// Whether we have made this server, as it is.
    pub(crate) fn is_known_as(&self, server: &Server) -> bool {
        self.known.get(&server.key).is_some_and(|known| known.server == *server)
    }

    /// Those that clients are led to, although others made them.
    pub(crate) fn wanted_of_others(&self) -> impl Iterator<Item = &ServerKey> {
        self.foreign.iter().filter(|key| self.claims.serving(key).is_some())
    }

    /// Every server that is known or wanted.
    pub(crate) fn keys(&self) -> BTreeSet<ServerKey> {
        self.claims.keys().chain(self.known.keys()).copied().collect()
    }

    /// Whether a server is ours in the kernel.
    pub(crate) fn has(&self, key: &ServerKey) -> bool {
        self.known.contains_key(key)
    }

    /// Those that are ours in the kernel.
    pub(crate) fn known(&self) -> impl Iterator<Item = (&ServerKey, &Known)> {
        self.known.iter()
    }

    /// So many of those, the next after one.
    pub(crate) fn known_after(&self, last: Option<ServerKey>, count: usize) -> Vec<ServerKey> {
        let start = last.map_or(Bound::Unbounded, Bound::Excluded);
        self.known.range((start, Bound::Unbounded)).take(count).map(|(key, _)| *key).collect()
    }

    /// Whether a server of ours has the destinations that we know, as we left them.
    pub(crate) fn has_as_known(&self, key: &ServerKey, states: &[DestinationState]) -> bool {
        self.known.get(key).is_none_or(|known| known.has_as_known(states))
    }

    /// Those that have something to wait for.
    pub(crate) fn draining(&self) -> impl Iterator<Item = ServerKey> {
        self.draining.iter().copied()
    }

    /// Whether a server has something to wait for.
    pub(crate) fn waits(&self, key: &ServerKey) -> bool {
        self.draining.contains(key)
    }

    /// When the last of those that have something to wait for began to wait.
    pub(crate) fn last_waits_since(&self) -> Option<Instant> {
        let waiting = self.draining.iter().filter_map(|key| self.known.get(key));
        let phases = waiting.flat_map(|known| known.destinations.values());
        let since = |phase: &Phase| match phase {
            Phase::Draining(since) => Some(*since),
            Phase::Serving | Phase::Changed => None,
        };
        phases.filter_map(since).max()
    }

    /// Of these servers one that serves for each scheduler of which it is not known whether
    /// the kernel has it.
    pub(crate) fn untried(
        &self,
        keys: &BTreeSet<ServerKey>,
        schedulers: &Schedulers,
    ) -> Vec<ServerKey> {
        let mut seen = BTreeSet::new();
        let has = |key: &ServerKey, name: &str| self.scheduler_of(key) == Some(name);
        let is_untried = |name: &str| schedulers.is_untried(name, |key| has(key, name));
        let is_first = |key: &&ServerKey| {
            let name = self.wanted_scheduler(key).filter(|name| is_untried(name));
            name.is_some_and(|name| seen.insert(name))
        };
        keys.iter().filter(is_first).copied().collect()
    }

    /// Those schedulers.
    pub(crate) fn untried_schedulers(
        &self,
        keys: &BTreeSet<ServerKey>,
        schedulers: &Schedulers,
    ) -> Vec<String> {
        let untried = self.untried(keys, schedulers);
        untried.iter().filter_map(|key| self.wanted_scheduler(key)).map(str::to_owned).collect()
    }

    /// Whether [`Servers::settle`] gives a server another scheduler than it has.
    pub(crate) fn reschedules(&self, key: &ServerKey, schedulers: &Schedulers) -> bool {
        let (Some(wanted), Some(known)) = (self.claims.serving(key), self.known.get(key)) else {
            return false;
        };
        known.is_to_be(wanted, schedulers).scheduler != known.server.scheduler
    }

    /// The scheduler that a server of ours has in the kernel, as far as that is known.
    pub(crate) fn scheduler_of(&self, key: &ServerKey) -> Option<&str> {
        let name = &self.known.get(key)?.server.scheduler;
        (!name.is_empty()).then_some(name)
    }

    /// Those that are to serve with one of these schedulers. Walks all.
    pub(crate) fn wanted_with(&self, schedulers: &BTreeSet<String>) -> BTreeSet<ServerKey> {
        self.claims.with_scheduler(schedulers)
    }

    /// Whether a Service asks for a scheduler.
    pub(crate) fn is_asked_for(&self, scheduler: &str) -> bool {
        self.claims.is_asked_for(scheduler)
    }

    /// The scheduler that a server is to serve with, unless it is of others.
    fn wanted_scheduler(&self, key: &ServerKey) -> Option<&str> {
        let wanted = self.claims.serving(key)?;
        (!self.foreign.contains(key)).then_some(&wanted.server.scheduler)
    }

    /// Whether none of them is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Those that clients are led to, but for what others made.
    pub(crate) fn wanted_keys(&self) -> impl Iterator<Item = &ServerKey> {
        let is_led_to = |key: &ServerKey| self.claims.serving(key).is_some();
        self.claims.keys().filter(move |key| is_led_to(key) && !self.foreign.contains(key))
    }
}
