//! Which of the awaited addresses have reached the kernel, and when.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::wire::{Notice, notices, words};
use crate::cluster::Frontend;

/// What passed since the counting began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Committed transactions, empty ones left out: the kernel does not tell about those.
    pub(crate) transactions: u64,
    /// Elements, rules and objects made or deleted.
    pub(crate) operations: u64,
    /// Times that the kernel had more to tell than the socket could hold.
    pub(crate) overruns: u64,
}

/// An address that is in the kernel, or out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    /// When the event was about to be written.
    pub(crate) written: Instant,
    /// From then to the commit.
    pub(crate) latency: Duration,
}

/// What an address is waited for to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Appear,
    Vanish,
}

#[derive(Debug)]
struct Awaited {
    written: Instant,
    service: u32,
    wanted: Wanted,
}

/// Matches notifications with what is awaited. Knows no socket and no clock.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    awaited: HashMap<u32, Awaited>,
    /// By service, in the order of writing. An agent that falls behind leaves out what has
    /// become untrue meanwhile: then a later change of the same service answers for it.
    order: HashMap<u32, VecDeque<u32>>,
    /// By service.
    frontends: HashMap<u32, Frontend>,
    /// Seen in the transaction that is being told.
    seen: Vec<u32>,
    pub(super) observed: Vec<Observed>,
    pub(super) counts: Counts,
    pub(super) last_commit: Option<Instant>,
}

impl Tracker {
    /// A pod's address that is about to be written.
    pub(super) fn expect(&mut self, address: u32, service: u32, written: Instant) {
        self.order.entry(service).or_default().push_back(address);
        self.awaited.insert(address, Awaited { written, service, wanted: Wanted::Appear });
    }

    /// A pod's address that is about to be gone. Nothing later answers for it.
    pub(super) fn expect_gone(&mut self, address: u32, service: u32, written: Instant) {
        self.awaited.insert(address, Awaited { written, service, wanted: Wanted::Vanish });
    }

    /// Where a service can be looked at.
    pub(super) fn serves(&mut self, service: u32, frontend: Frontend) {
        self.frontends.insert(service, frontend);
    }

    /// The services of what is awaited, each once.
    pub(super) fn awaited_services(&self) -> Vec<(u32, Frontend)> {
        let services: BTreeSet<u32> = self.awaited.values().map(|it| it.service).collect();
        let found = services.into_iter().map(|it| Some((it, *self.frontends.get(&it)?)));
        found.flatten().collect()
    }

    /// Takes in that a service had these pods, and no others, at `now`.
    pub(super) fn listed(&mut self, service: u32, pods: &[u32], now: Instant) {
        let done = |(address, it): (&u32, &Awaited)| {
            let has = pods.contains(address);
            let wanted = has == (it.wanted == Wanted::Appear);
            (it.service == service && wanted).then_some(*address)
        };
        self.seen = self.awaited.iter().filter_map(done).collect();
        if !self.seen.is_empty() {
            self.committed(now);
        }
    }

    pub(super) fn awaited(&self) -> usize {
        self.awaited.len()
    }

    /// Gives up on what is awaited; says how many that were.
    pub(super) fn forget(&mut self) -> usize {
        self.order.clear();
        self.frontends.clear();
        self.seen.clear();
        std::mem::take(&mut self.awaited).len()
    }

    /// Takes in a packet that arrived at `now`.
    pub(super) fn packet(&mut self, packet: &[u8], now: Instant) {
        for (notice, attributes) in notices(packet) {
            match notice {
                Notice::Committed => self.committed(now),
                Notice::Object => self.counts.operations += 1,
                Notice::New => self.look(attributes, Wanted::Appear),
                Notice::Deleted => self.look(attributes, Wanted::Vanish),
            }
        }
    }

    fn look(&mut self, attributes: &[u8], wanted: Wanted) {
        self.counts.operations += 1;
        let awaited = &self.awaited;
        let found = |word: &u32| awaited.get(word).is_some_and(|it| it.wanted == wanted);
        self.seen.extend(words(attributes).filter(found));
    }

    /// Takes in that a transaction is committed at `now`, with what was seen of it.
    pub(super) fn committed(&mut self, now: Instant) {
        self.counts.transactions += 1;
        self.last_commit = Some(now);
        for address in std::mem::take(&mut self.seen) {
            let Some(awaited) = self.awaited.remove(&address) else { continue };
            self.observe(awaited.written, now);
            if awaited.wanted == Wanted::Appear {
                self.answer_for_earlier(awaited.service, address, now);
            }
        }
    }

    fn answer_for_earlier(&mut self, service: u32, address: u32, now: Instant) {
        let Some(mut order) = self.order.remove(&service) else { return };
        while let Some(earlier) = order.pop_front() {
            if earlier == address {
                break;
            }
            if let Some(awaited) = self.awaited.remove(&earlier) {
                self.observe(awaited.written, now);
            }
        }
        if !order.is_empty() {
            self.order.insert(service, order);
        }
    }

    fn observe(&mut self, written: Instant, now: Instant) {
        let latency = now.saturating_duration_since(written);
        self.observed.push(Observed { written, latency });
    }
}

#[cfg(test)]
mod tests;
