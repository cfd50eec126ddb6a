use std::net::{Ipv4Addr, Ipv6Addr};

use super::super::wire::message;
use super::*;

const NEW_ELEMENT: u8 = 12;
const DELETED_ELEMENT: u8 = 14;
const COMMITTED: u8 = 15;

fn v4(number: u32) -> IpAddr {
    Ipv4Addr::from_bits(number).into()
}

fn v6(number: u16) -> IpAddr {
    Ipv6Addr::new(0xfd00, 0x10, 0x128, 0, 0, 0, 0, number).into()
}

fn element_of(kind: u8, address: IpAddr) -> Vec<u8> {
    let bytes = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    message(kind, &[vec![0, 8, 0, 1], bytes].concat())
}

fn element(kind: u8, address: u32) -> Vec<u8> {
    element_of(kind, v4(address))
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

impl Tracker {
    fn appear(&mut self, address: u32, service: u32, due: Instant) {
        self.expect(Wanted::Appear, vec![v4(address)], service, due);
    }

    fn vanish(&mut self, address: u32, service: u32, due: Instant) {
        self.expect(Wanted::Vanish, vec![v4(address)], service, due);
    }
}

#[test]
fn an_address_counts_when_its_transaction_is_committed_and_not_before() {
    let (mut tracker, start) = (Tracker::default(), Instant::now());
    tracker.appear(7, 1, start);
    tracker.packet(&element(NEW_ELEMENT, 7), at(start, 3));
    assert_eq!((tracker.awaited(), tracker.observed.len()), (1, 0));
    tracker.packet(&commit(), at(start, 5));
    assert_eq!((tracker.awaited(), latencies(&tracker)), (0, vec![5]));
    let counts = Counts { transactions: 1, operations: 1 };
    assert_eq!((tracker.counts, tracker.last_commit), (counts, Some(at(start, 5))));
}

#[test]
fn a_deleted_address_has_not_appeared_and_a_new_one_has_not_vanished() {
    let (mut tracker, start) = (Tracker::default(), Instant::now());
    tracker.appear(7, 1, start);
    tracker.vanish(8, 1, start);
    let packet = [element(DELETED_ELEMENT, 7), element(NEW_ELEMENT, 8), commit()].concat();
    tracker.packet(&packet, at(start, 1));
    assert_eq!(tracker.awaited(), 2);
    let packet = [element(DELETED_ELEMENT, 8), element(NEW_ELEMENT, 7), commit()].concat();
    tracker.packet(&packet, at(start, 2));
    assert_eq!((tracker.awaited(), latencies(&tracker)), (0, vec![2, 2]));
}

#[test]
fn a_pod_of_both_families_counts_once_with_the_commit_of_the_last_in_either_order() {
    for wanted in [Wanted::Appear, Wanted::Vanish] {
        let kind = if wanted == Wanted::Appear { NEW_ELEMENT } else { DELETED_ELEMENT };
        // No part of one address is the other.
        for (first, last) in [(v4(7), v6(70)), (v6(70), v4(7))] {
            let (mut tracker, start) = (Tracker::default(), Instant::now());
            tracker.expect(wanted, vec![v4(7), v6(70)], 1, start);
            let other = element_of(kind, v6(80));
            tracker.packet(&[element_of(kind, first), other, commit()].concat(), at(start, 1));
            assert_eq!((tracker.awaited(), latencies(&tracker)), (1, vec![]));
            tracker.packet(&[element_of(kind, last), commit()].concat(), at(start, 4));
            assert_eq!((tracker.awaited(), latencies(&tracker)), (0, vec![4]));
        }
    }
}

#[test]
fn a_later_change_of_the_same_service_answers_for_what_was_left_out() {
    let (mut tracker, start) = (Tracker::default(), Instant::now());
    for (address, service, written) in [(7, 1, 0), (8, 1, 10), (9, 2, 20), (10, 1, 30)] {
        tracker.appear(address, service, at(start, written));
    }
    tracker.packet(&[element(NEW_ELEMENT, 8), commit()].concat(), at(start, 50));
    assert_eq!((tracker.awaited(), latencies(&tracker)), (2, vec![40, 50]));
    tracker.packet(&[element(NEW_ELEMENT, 10), commit()].concat(), at(start, 60));
    assert_eq!((tracker.awaited(), latencies(&tracker)), (1, vec![40, 50, 30]));
}

#[test]
fn one_family_of_a_later_change_does_not_answer_for_an_earlier_one() {
    let (mut tracker, start) = (Tracker::default(), Instant::now());
    for (number, written) in [(7, 0), (8, 10)] {
        let addresses = vec![v4(number), v6(number.try_into().unwrap())];
        tracker.expect(Wanted::Appear, addresses, 1, at(start, written));
    }
    tracker.packet(&[element(NEW_ELEMENT, 8), commit()].concat(), at(start, 20));
    assert_eq!(tracker.awaited(), 2);
    tracker.packet(&[element_of(NEW_ELEMENT, v6(8)), commit()].concat(), at(start, 30));
    assert_eq!((tracker.awaited(), latencies(&tracker)), (0, vec![20, 30]));
}

#[test]
fn a_listing_of_a_service_answers_for_its_own_pods_that_came_and_went() {
    let (mut tracker, start) = (Tracker::default(), Instant::now());
    let frontend = |last| Frontend { address: ([10, 96, 0, last], 80).into(), udp: false };
    for service in [1, 2, 3] {
        tracker.serves(service, frontend(service.try_into().unwrap()));
    }
    tracker.appear(7, 1, start);
    tracker.vanish(8, 1, start);
    tracker.vanish(9, 2, start);
    assert_eq!(tracker.awaited_services(), [(1, frontend(1)), (2, frontend(2))]);
    tracker.listed(1, &[6, 8].map(v4), at(start, 1));
    assert_eq!((tracker.awaited(), tracker.last_commit), (3, None));
    tracker.listed(1, &[6, 7, 8].map(v4), at(start, 2));
    tracker.listed(1, &[6, 7].map(v4), at(start, 3));
    assert_eq!((tracker.awaited(), latencies(&tracker)), (1, vec![2, 3]));
    assert_eq!(tracker.awaited_services(), [(2, frontend(2))]);
    tracker.listed(2, &[], at(start, 4));
    assert_eq!((tracker.awaited(), latencies(&tracker)), (0, vec![2, 3, 4]));
}

#[test]
fn what_is_given_up_is_counted_and_does_not_come_back() {
    let (mut tracker, start) = (Tracker::default(), Instant::now());
    tracker.appear(7, 1, start);
    tracker.packet(&element(NEW_ELEMENT, 7), start);
    assert_eq!(tracker.forget(), 1);
    tracker.packet(&commit(), start);
    assert_eq!(tracker.observed, []);
}
