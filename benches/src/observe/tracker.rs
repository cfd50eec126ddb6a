//! Which of the awaited addresses have reached the kernel, and when.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::wire::{Notice, notices, words};

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

    pub(super) fn awaited(&self) -> usize {
        self.awaited.len()
    }

    /// Gives up on what is awaited; says how many that were.
    pub(super) fn forget(&mut self) -> usize {
        self.order.clear();
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

    /// A transaction that nothing is known of, at `now`: takes everything awaited for done.
    pub(super) fn all_committed(&mut self, now: Instant) {
        self.order.clear();
        self.seen = self.awaited.keys().copied().collect();
        self.committed(now);
    }

    fn look(&mut self, attributes: &[u8], wanted: Wanted) {
        self.counts.operations += 1;
        let awaited = &self.awaited;
        let found = |word: &u32| awaited.get(word).is_some_and(|it| it.wanted == wanted);
        self.seen.extend(words(attributes).filter(found));
    }

    fn committed(&mut self, now: Instant) {
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
mod tests {
    use super::super::wire::message;
    use super::*;

    const NEW_ELEMENT: u8 = 12;
    const DELETED_ELEMENT: u8 = 14;
    const COMMITTED: u8 = 15;

    fn element(kind: u8, address: u32) -> Vec<u8> {
        message(kind, &[[0, 8, 0, 1], address.to_be_bytes()].concat())
    }

    fn commit() -> Vec<u8> {
        message(COMMITTED, &[])
    }

    fn latencies(tracker: &Tracker) -> Vec<u128> {
        tracker.observed.iter().map(|it| it.latency.as_millis()).collect()
    }

    /// A point in time, so many milliseconds after the others' beginning.
    fn at(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn an_address_counts_when_its_transaction_is_committed_and_not_before() {
        let (mut tracker, start) = (Tracker::default(), Instant::now());
        tracker.expect(7, 1, start);
        tracker.packet(&element(NEW_ELEMENT, 7), at(start, 3));
        assert_eq!((tracker.awaited(), tracker.observed.len()), (1, 0));
        tracker.packet(&commit(), at(start, 5));
        assert_eq!((tracker.awaited(), latencies(&tracker)), (0, vec![5]));
        let counts = Counts { transactions: 1, operations: 1, overruns: 0 };
        assert_eq!((tracker.counts, tracker.last_commit), (counts, Some(at(start, 5))));
    }

    #[test]
    fn a_deleted_address_has_not_appeared_and_a_new_one_has_not_vanished() {
        let (mut tracker, start) = (Tracker::default(), Instant::now());
        tracker.expect(7, 1, start);
        tracker.expect_gone(8, 1, start);
        let packet = [element(DELETED_ELEMENT, 7), element(NEW_ELEMENT, 8), commit()].concat();
        tracker.packet(&packet, at(start, 1));
        assert_eq!(tracker.awaited(), 2);
        let packet = [element(DELETED_ELEMENT, 8), element(NEW_ELEMENT, 7), commit()].concat();
        tracker.packet(&packet, at(start, 2));
        assert_eq!((tracker.awaited(), latencies(&tracker)), (0, vec![2, 2]));
    }

    #[test]
    fn a_later_change_of_the_same_service_answers_for_what_was_left_out() {
        let (mut tracker, start) = (Tracker::default(), Instant::now());
        for (address, service, written) in [(7, 1, 0), (8, 1, 10), (9, 2, 20), (10, 1, 30)] {
            tracker.expect(address, service, at(start, written));
        }
        tracker.packet(&[element(NEW_ELEMENT, 8), commit()].concat(), at(start, 50));
        assert_eq!((tracker.awaited(), latencies(&tracker)), (2, vec![40, 50]));
        tracker.packet(&[element(NEW_ELEMENT, 10), commit()].concat(), at(start, 60));
        assert_eq!((tracker.awaited(), latencies(&tracker)), (1, vec![40, 50, 30]));
    }

    #[test]
    fn a_transaction_that_nothing_is_known_of_answers_for_everything() {
        let (mut tracker, start) = (Tracker::default(), Instant::now());
        tracker.expect(7, 1, start);
        tracker.expect_gone(8, 2, at(start, 1));
        tracker.all_committed(at(start, 4));
        let mut observed = latencies(&tracker);
        observed.sort_unstable();
        assert_eq!((tracker.awaited(), observed), (0, vec![3, 4]));
        assert_eq!(tracker.last_commit, Some(at(start, 4)));
    }

    #[test]
    fn what_is_given_up_is_counted_and_does_not_come_back() {
        let (mut tracker, start) = (Tracker::default(), Instant::now());
        tracker.expect(7, 1, start);
        tracker.packet(&element(NEW_ELEMENT, 7), start);
        assert_eq!(tracker.forget(), 1);
        tracker.packet(&commit(), start);
        assert_eq!(tracker.observed, []);
    }
}
