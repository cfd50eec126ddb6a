use std::collections::BTreeMap;

use portolan_lab::namespaced;
use portolan_netlink::nftables::{Batch, Connection, Family, Rule};

use super::TABLE;
use super::ruleset::Ruleset;

#[test]
fn a_table_is_listed_as_it_was_written() {
    namespaced("whole_table::a_table_is_listed_as_it_was_written", || {
        for family in [Family::Ip, Family::Ip6] {
            let ruleset = Ruleset::new(family);
            let mut connection = Connection::open().unwrap();
            let mut batch = Batch::new(Some(connection.generation().unwrap()));
            ruleset.write(&mut batch);
            ruleset.write_elements(&mut batch);
            let receipt = connection.commit(&mut batch).unwrap();
            assert!(receipt.bytes > 0 && receipt.messages > ruleset.rules.len());
            check(&ruleset, &mut connection);
        }
    });
}

fn check(ruleset: &Ruleset, connection: &mut Connection) {
    let family = ruleset.family;
    assert_eq!(connection.tables(family).unwrap(), std::slice::from_ref(&ruleset.table));
    assert_eq!(connection.chains(family, TABLE).unwrap(), ruleset.chains);
    assert_eq!(connection.sets(family, TABLE).unwrap(), ruleset.sets);
    assert_eq!(by_chain(listed(connection, family)), by_chain(ruleset.rules.clone()));
    let mut count = |set| connection.elements(family, TABLE, set, &mut |_| {}).unwrap();
    assert_eq!((count("services"), count("endpoints"), count("hairpin")), (1, 3, 0));
}

fn listed(connection: &mut Connection, family: Family) -> Vec<(String, Rule)> {
    let rules = connection.rules(family, TABLE).unwrap();
    rules.into_iter().map(|listed| (listed.chain, listed.rule)).collect()
}

fn by_chain(rules: Vec<(String, Rule)>) -> BTreeMap<String, Vec<Rule>> {
    let mut chains = BTreeMap::<String, Vec<Rule>>::new();
    for (chain, rule) in rules {
        chains.entry(chain).or_default().push(rule);
    }
    chains
}

#[test]
fn writing_a_table_again_changes_nothing_but_appends_its_rules() {
    namespaced("whole_table::writing_a_table_again_changes_nothing_but_appends_its_rules", || {
        let ruleset = Ruleset::new(Family::Ip);
        let mut connection = Connection::open().unwrap();
        let mut batch = Batch::new(None);
        ruleset.write(&mut batch);
        ruleset.write_elements(&mut batch);
        connection.commit(&mut batch).unwrap();
        connection.commit(&mut batch).unwrap();
        assert_eq!(connection.sets(Family::Ip, TABLE).unwrap(), ruleset.sets);
        assert_eq!(connection.chains(Family::Ip, TABLE).unwrap(), ruleset.chains);
        assert_eq!(listed(&mut connection, Family::Ip).len(), 2 * ruleset.rules.len());
    });
}
