//! Chains that no element leads to: kept while they are few.

use portolan_core::{Environment, Family, Index, ObjectName, Update};

use super::{Machine, apply_service, serve};
use crate::chain_name::{Draw, ServingChain};

#[test]
fn chains_that_nobody_needs_go_away_once_they_are_many() {
    let mut index = Index::new("here");
    let mut machine = Machine::default();
    machine.converge(&[], &Environment::default());
    for count in 1..200u8 {
        machine.apply(&serve(&mut index, 0..count));
        assert!(machine.chains() < 100, "{} chains after {count} scalings", machine.chains());
    }
    let observed = machine.kernel[&Family::V4].observe(Family::V4).unwrap();
    assert!(observed.chains.contains_key(
        &ServingChain::ClusterIp(Draw { slots: 199, affinity: None, part: 0 }).to_string()
    ));
}

#[test]
fn unused_chains_go_in_the_transaction_that_makes_their_map_larger() {
    let mut index = Index::new("here");
    let mut machine = Machine::default();
    machine.converge(&[], &Environment::default());
    // One more than are kept: the next transaction clears up.
    for count in 2..36 {
        machine.apply(&serve(&mut index, 1..count));
    }
    let before = machine.chains();
    for number in 0..900u16 {
        let [high, low] = number.to_be_bytes();
        apply_service(&mut index, &format!("t{number}"), [172, 31, high, low], 1..13);
    }
    machine.apply(&index.take_changes());
    assert!(machine.chains() < before, "{} chains, {before} before", machine.chains());
    let plans: Vec<_> = index.plans().cloned().collect();
    assert_eq!(machine.converge(&plans, &Environment::default()), 0);
}

#[test]
fn a_restart_sends_nothing_however_many_chains_the_last_change_left_unused() {
    let mut index = Index::new("here");
    let mut machine = Machine::default();
    machine.converge(&[], &Environment::default());
    for number in 0..80u8 {
        let endpoints = 1..2 + number;
        apply_service(&mut index, &format!("t{number}"), [172, 31, 0, number], endpoints);
    }
    machine.apply(&index.take_changes());
    for number in 0..80 {
        index.apply(Update::ServiceDeleted(ObjectName::new("ns", &format!("t{number}"))));
    }
    machine.apply(&index.take_changes());
    let before = machine.chains();
    assert_eq!(machine.converge(&[], &Environment::default()), 0);
    machine.apply(&serve(&mut index, 1..2));
    assert!(machine.chains() < before, "{} chains, {before} before", machine.chains());
}
