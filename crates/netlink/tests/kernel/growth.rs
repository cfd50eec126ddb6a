//! A set cannot grow. It is replaced by a larger one of the same name in one transaction,
//! so that no packet finds it missing or empty.

use portolan_lab::namespaced;
use portolan_netlink::nftables::{Batch, Expression, Family, PayloadBase, Register, Rule, Set};

use super::{Kernel, TABLE, add, add_goto, address_map, chain, element, goto_element, verdict_map};

const USERS: [&str; 2] = ["first", "second"];

#[test]
fn a_map_of_data_is_replaced_by_a_larger_one() {
    namespaced("growth::a_map_of_data_is_replaced_by_a_larger_one", || {
        let mut kernel = prepared(&address_map("map", 2), Register::Word(0));
        kernel.apply(|batch| [1, 2].into_iter().for_each(|key| add(batch, "map", key, key)));
        let full = kernel.refusal(|batch| add(batch, "map", 3, 3));
        assert!(full.contains("the set is full"), "{full}");
        kernel.apply(|batch| {
            replace(batch, &address_map("map", 4), Register::Word(0));
            (1..=4).for_each(|key| add(batch, "map", key, key));
        });
        assert_eq!(
            kernel.elements("map"),
            (1..=4).map(|key| element(key, key)).collect::<Vec<_>>()
        );
        check(&mut kernel, &address_map("map", 4), Register::Word(0));
    });
}

#[test]
fn a_map_of_verdicts_is_replaced_by_a_larger_one() {
    namespaced("growth::a_map_of_verdicts_is_replaced_by_a_larger_one", || {
        let mut kernel = prepared(&verdict_map("map", 2), Register::Verdict);
        kernel.apply(|batch| [1, 2].into_iter().for_each(|key| add_goto(batch, "map", key, "lb")));
        kernel.apply(|batch| {
            replace(batch, &verdict_map("map", 4), Register::Verdict);
            (1..=4).for_each(|key| add_goto(batch, "map", key, "lb"));
        });
        let wanted: Vec<_> = (1..=4).map(|key| goto_element(key, "lb")).collect();
        assert_eq!(kernel.elements("map"), wanted);
        check(&mut kernel, &verdict_map("map", 4), Register::Verdict);
    });
}

#[test]
fn a_set_that_a_rule_uses_is_not_deleted() {
    namespaced("growth::a_set_that_a_rule_uses_is_not_deleted", || {
        let mut kernel = prepared(&address_map("map", 2), Register::Word(0));
        let error = kernel.refusal(|batch| batch.delete_set(Family::Ip, TABLE, "map"));
        assert!(error.starts_with("cannot delete set map of table ip portolan"), "{error}");
        assert!(error.ends_with("a rule or element still uses it"), "{error}");
    });
}

/// A map that two chains use, one of them beside another rule.
fn prepared(map: &Set, destination: Register) -> Kernel {
    let mut kernel = Kernel::with_table();
    kernel.apply(|batch| {
        for name in USERS.into_iter().chain(["lb"]) {
            batch.add_chain(Family::Ip, TABLE, &chain(name));
        }
        batch.add_set(Family::Ip, TABLE, map);
        add_users(batch, destination);
    });
    kernel
}

/// Replaces the map and the rules that use it. Its elements are lost.
fn replace(batch: &mut Batch, map: &Set, destination: Register) {
    for chain in USERS {
        batch.flush_chain(Family::Ip, TABLE, chain);
    }
    batch.delete_set(Family::Ip, TABLE, &map.name);
    batch.add_set(Family::Ip, TABLE, map);
    add_users(batch, destination);
}

fn add_users(batch: &mut Batch, destination: Register) {
    for chain in USERS {
        batch.add_rule(Family::Ip, TABLE, chain, &user(destination));
    }
}

fn user(destination: Register) -> Rule {
    let register = Register::Word(0);
    let load = Expression::Payload { base: PayloadBase::Network, offset: 16, length: 4, register };
    let lookup = Expression::Lookup {
        set: "map".to_owned(),
        register,
        destination: Some(destination),
        inverted: false,
    };
    Rule { expressions: vec![load, lookup], comment: None }
}

fn check(kernel: &mut Kernel, map: &Set, destination: Register) {
    assert_eq!(kernel.connection.sets(Family::Ip, TABLE).unwrap(), std::slice::from_ref(map));
    let rules = kernel.connection.rules(Family::Ip, TABLE).unwrap();
    assert_eq!(rules.len(), USERS.len());
    assert!(rules.iter().all(|listed| listed.rule == user(destination)));
}
