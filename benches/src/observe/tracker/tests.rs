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
fn a_listing_of_a_service_answers_for_its_own_pods_that_came_and_went() {
    let (mut tracker, start) = (Tracker::default(), Instant::now());
    let frontend = |last| Frontend { address: ([10, 96, 0, last], 80).into(), udp: false };
    for service in [1, 2, 3] {
        tracker.serves(service, frontend(service.try_into().unwrap()));
    }
    tracker.expect(7, 1, start);
    tracker.expect_gone(8, 1, start);
    tracker.expect_gone(9, 2, start);
    assert_eq!(tracker.awaited_services(), [(1, frontend(1)), (2, frontend(2))]);
    tracker.listed(1, &[6, 8], at(start, 1));
    assert_eq!((tracker.awaited(), tracker.last_commit), (3, None));
    tracker.listed(1, &[6, 7, 8], at(start, 2));
    tracker.listed(1, &[6, 7], at(start, 3));
    assert_eq!((tracker.awaited(), latencies(&tracker)), (1, vec![2, 3]));
    assert_eq!(tracker.awaited_services(), [(2, frontend(2))]);
    tracker.listed(2, &[], at(start, 4));
    assert_eq!((tracker.awaited(), latencies(&tracker)), (0, vec![2, 3, 4]));
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
