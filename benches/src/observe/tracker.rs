//! Which of the awaited addresses have reached the kernel, and when.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use super::wire::{Notice, addresses, notices};
use crate::cluster::Frontend;

/// What passed since the counting began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Committed transactions, empty ones left out: the kernel does not tell about those.
    pub(crate) transactions: u64,
    /// Elements, rules and objects made or deleted.
    pub(crate) operations: u64,
}

/// A pod that is in the kernel, or out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Observed {
    /// When the event was about to be written, or should have been.
    pub(crate) due: Instant,
    /// From then to the commit; of the last one, if its families have one each.
    pub(crate) latency: Duration,
}

/// What a pod is waited for to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Appear,
    Vanish,
}

/// A pod that is awaited.
#[derive(Debug)]
struct Awaited {
    due: Instant,
    service: u32,
    wanted: Wanted,
    /// Those that have not been seen.
    addresses: Vec<IpAddr>,
}

/// Matches notifications with what is awaited. Knows no socket and no clock.
#[derive(Debug, Default)]
pub(super) struct Tracker {
    /// By a number that is raised from one to the next.
    awaited: HashMap<u64, Awaited>,
    next: u64,
    /// Which awaited pod has an address.
    owners: HashMap<IpAddr, u64>,
    /// By service, in the order of writing. An agent that falls behind leaves out what has
    /// become untrue meanwhile: then a later change of the same service answers for it.
    order: HashMap<u32, VecDeque<u64>>,
    /// By service.
    frontends: HashMap<u32, Frontend>,
    /// Seen in the transaction that is being told.
    seen: Vec<IpAddr>,
    pub(super) observed: Vec<Observed>,
    pub(super) counts: Counts,
    pub(super) last_commit: Option<Instant>,
}

impl Tracker {
    /// A pod that is about to be written, or about to be gone; for the latter nothing later
    /// answers.
    pub(super) fn expect(
        &mut self,
        wanted: Wanted,
        addresses: Vec<IpAddr>,
        service: u32,
        due: Instant,
    ) {
        let number = self.next;
        self.next += 1;
        self.owners.extend(addresses.iter().map(|address| (*address, number)));
        if wanted == Wanted::Appear {
            self.order.entry(service).or_default().push_back(number);
        }
        self.awaited.insert(number, Awaited { due, service, wanted, addresses });
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
    pub(super) fn listed(&mut self, service: u32, pods: &[IpAddr], now: Instant) {
        let of_service = self.awaited.values().filter(|it| it.service == service);
        let done = of_service.flat_map(|it| {
            let wanted = it.wanted == Wanted::Appear;
            it.addresses.iter().filter(move |address| pods.contains(address) == wanted)
        });
        self.seen = done.copied().collect();
        if !self.seen.is_empty() {
            self.committed(now);
        }
    }

    /// How many pods are awaited.
    pub(super) fn awaited(&self) -> usize {
        self.awaited.len()
    }

    /// Gives up on what is awaited; says how many pods that were.
    pub(super) fn forget(&mut self) -> usize {
        self.order.clear();
        self.owners.clear();
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
        let found = |address: &IpAddr| {
            let awaited = self.owners.get(address).and_then(|owner| self.awaited.get(owner));
            awaited.is_some_and(|it| it.wanted == wanted)
        };
        self.seen.extend(addresses(attributes).filter(found));
    }

    /// Takes in that a transaction is committed at `now`, with what was seen of it.
    pub(super) fn committed(&mut self, now: Instant) {
        self.counts.transactions += 1;
        self.last_commit = Some(now);
        for address in std::mem::take(&mut self.seen) {
            let Some(number) = self.owners.remove(&address) else { continue };
            let Some(awaited) = self.awaited.get_mut(&number) else { continue };
            awaited.addresses.retain(|left| *left != address);
            if awaited.addresses.is_empty() {
                let (service, wanted) = (awaited.service, awaited.wanted);
                self.observe(number, now);
                if wanted == Wanted::Appear {
                    self.answer_for_earlier(service, number, now);
                }
            }
        }
    }

    fn answer_for_earlier(&mut self, service: u32, number: u64, now: Instant) {
        let Some(mut order) = self.order.remove(&service) else { return };
        while let Some(earlier) = order.pop_front() {
            if earlier == number {
                break;
            }
            self.observe(earlier, now);
        }
        if !order.is_empty() {
            self.order.insert(service, order);
        }
    }

    fn observe(&mut self, number: u64, now: Instant) {
        let Some(awaited) = self.awaited.remove(&number) else { return };
        for address in awaited.addresses {
            self.owners.remove(&address);
        }
        let latency = now.saturating_duration_since(awaited.due);
        self.observed.push(Observed { due: awaited.due, latency });
    }
}

#[cfg(test)]
mod tests;
