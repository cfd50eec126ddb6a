use std::collections::BTreeMap;
use std::time::Duration;

use portolan_core::ObjectName;

use super::*;

const TIMEOUT: Duration = Duration::from_secs(60);

fn endpoint(last: u16) -> EndpointAddress {
    EndpointAddress { ip: [0xfd00, 0, 0, 0, 0, 0, 0, last].into(), port: 8080 }
}

fn target(lasts: &[u16], affinity: Option<Duration>) -> Target {
    Target {
        service: ObjectName::new("shop", "web"),
        endpoints: lasts.iter().map(|last| endpoint(*last)).collect(),
        serving: None,
        affinity,
    }
}

#[test]
fn every_endpoint_is_chosen_equally_often_and_none_that_was_tried() {
    let all = [1, 2, 3, 4];
    for tried in [&[][..], &[1], &[4], &[2, 3], &[1, 2, 4], &all] {
        let tried_endpoints: Vec<_> = tried.iter().map(|last| endpoint(*last)).collect();
        let mut choice = Choice::new(target(&all, None));
        let mut counts = BTreeMap::new();
        // Each remainder comes up equally often.
        for random in 0..120 {
            if let Some(chosen) = choice.choose(&tried_endpoints, random, Instant::now()) {
                *counts.entry(chosen).or_insert(0) += 1;
            }
        }
        let left: Vec<_> = all.into_iter().filter(|last| !tried.contains(last)).collect();
        let each = 120_usize.checked_div(left.len());
        let expected: BTreeMap<_, _> =
            left.iter().map(|last| (endpoint(*last), each.unwrap())).collect();
        assert_eq!(counts, expected, "{tried:?}");
    }
}

#[test]
fn choices_differ_from_one_to_the_next() {
    let choice = SharedChoice::new(target(&(1..=100).collect::<Vec<_>>(), None));
    let chosen: Vec<_> = (0..20).map(|_| choice.choose(&[])).collect();
    assert!(chosen.iter().any(|it| *it != chosen[0]), "{chosen:?}");
    choice.end();
    assert_eq!(choice.choose(&[]), None);
}

/// At each step: seconds since the start, a random number, and who is chosen.
fn steps(choice: &mut Choice, start: Instant, steps: &[(u64, u64, u16)]) {
    for &(seconds, random, expected) in steps {
        let chosen = choice.choose(&[], random, start + Duration::from_secs(seconds));
        assert_eq!(chosen, Some(endpoint(expected)), "after {seconds} s");
    }
}

#[test]
fn an_endpoint_is_kept_until_nobody_connected_for_the_timeout() {
    let start = Instant::now();
    let mut choice = Choice::new(target(&[1, 2, 3], Some(TIMEOUT)));
    steps(&mut choice, start, &[(0, 0, 1), (59, 1, 1), (118, 2, 1), (178, 2, 3), (179, 0, 3)]);
    let mut without = Choice::new(target(&[1, 2, 3], None));
    steps(&mut without, start, &[(0, 0, 1), (1, 1, 2), (2, 2, 3)]);
}

#[test]
fn an_endpoint_is_kept_only_while_it_is_there() {
    let start = Instant::now();
    let mut choice = Choice::new(target(&[1, 2, 3], Some(TIMEOUT)));
    steps(&mut choice, start, &[(0, 2, 3)]);
    choice.tell(target(&[2, 3, 4], Some(TIMEOUT)));
    steps(&mut choice, start, &[(1, 0, 3)]);
    choice.tell(target(&[2, 4], Some(TIMEOUT)));
    choice.tell(target(&[2, 3, 4], Some(TIMEOUT)));
    steps(&mut choice, start, &[(2, 0, 2), (3, 1, 2)]);
}

#[test]
fn an_endpoint_is_forgotten_with_the_affinity_or_the_service() {
    let start = Instant::now();
    let with = || target(&[1, 2], Some(TIMEOUT));
    let other = Target { service: ObjectName::new("shop", "other"), ..with() };
    for between in [target(&[1, 2], None), other] {
        let mut choice = Choice::new(with());
        steps(&mut choice, start, &[(0, 1, 2), (1, 0, 2)]);
        choice.tell(between);
        choice.tell(with());
        steps(&mut choice, start, &[(2, 0, 1)]);
    }
}

#[test]
fn another_timeout_counts_at_once() {
    let start = Instant::now();
    let mut choice = Choice::new(target(&[1, 2], Some(TIMEOUT)));
    steps(&mut choice, start, &[(0, 1, 2)]);
    choice.tell(target(&[1, 2], Some(Duration::from_secs(10))));
    steps(&mut choice, start, &[(9, 0, 2), (19, 0, 1)]);
}

#[test]
fn a_kept_endpoint_that_does_not_answer_is_replaced_by_the_next() {
    let start = Instant::now();
    let mut choice = Choice::new(target(&[1, 2, 3], Some(TIMEOUT)));
    assert_eq!(choice.choose(&[], 0, start), Some(endpoint(1)));
    assert_eq!(choice.choose(&[endpoint(1)], 1, start), Some(endpoint(3)));
    steps(&mut choice, start, &[(1, 0, 3)]);
}
