use portolan_lab::namespaced;
use portolan_netlink::NetlinkError;
use portolan_netlink::nftables::{
    Batch, Connection, Expression, Family, OwnedVerdict, Receipt, Rule, Table,
};

use super::{
    Kernel, TABLE, add, add_goto, address_map, assert_names_element, chain, delete, element,
    goto_element, verdict_map,
};

#[test]
fn a_batch_for_an_old_generation_is_refused_and_changes_nothing() {
    namespaced(
        "transactions::a_batch_for_an_old_generation_is_refused_and_changes_nothing",
        || {
            let mut kernel = Kernel::with_table();
            let old = kernel.connection.generation().unwrap();
            kernel.apply(|batch| batch.add_set(Family::Ip, TABLE, &address_map("map", 8)));
            assert_ne!(kernel.connection.generation().unwrap(), old);
            let mut batch = Batch::new(Some(old));
            batch.delete_table(Family::Ip, TABLE);
            let error = kernel.connection.commit(&mut batch).unwrap_err();
            assert!(
                matches!(error, NetlinkError::StaleGeneration { generation } if generation == old),
                "{error}"
            );
            batch.clear(Some(kernel.connection.generation().unwrap()));
            add(&mut batch, "map", 1, 2);
            kernel.connection.commit(&mut batch).unwrap();
            assert_eq!(kernel.elements("map"), [element(1, 2)]);
        },
    );
}

#[test]
fn an_empty_batch_is_not_sent() {
    namespaced("transactions::an_empty_batch_is_not_sent", || {
        let mut kernel = Kernel::with_table();
        let before = kernel.connection.generation().unwrap();
        assert_eq!(kernel.try_apply(|_| {}).unwrap(), Receipt::default());
        assert_eq!(kernel.connection.generation().unwrap(), before);
    });
}

#[test]
fn a_batch_that_fails_at_its_end_changes_nothing() {
    namespaced("transactions::a_batch_that_fails_at_its_end_changes_nothing", || {
        let mut kernel = Kernel::with_table();
        kernel.apply(|batch| batch.add_set(Family::Ip, TABLE, &address_map("map", 8)));
        let error = kernel.refusal(|batch| {
            add(batch, "map", 1, 2);
            batch.delete_chain(Family::Ip, TABLE, "absent");
        });
        assert!(error.starts_with("cannot delete chain absent of table ip portolan"), "{error}");
        assert_eq!(kernel.elements("map"), []);
    });
}

#[test]
fn one_batch_can_delete_a_key_and_add_it_with_other_data() {
    namespaced("transactions::one_batch_can_delete_a_key_and_add_it_with_other_data", || {
        let mut kernel = Kernel::with_table();
        kernel.apply(|batch| {
            batch.add_chain(Family::Ip, TABLE, &chain("lb-1"));
            batch.add_chain(Family::Ip, TABLE, &chain("lb-2"));
            batch.add_set(Family::Ip, TABLE, &address_map("map", 2));
            batch.add_set(Family::Ip, TABLE, &verdict_map("verdicts", 2));
            for key in [1, 2] {
                add(batch, "map", key, 10);
                add_goto(batch, "verdicts", key, "lb-1");
            }
        });
        kernel.apply(|batch| {
            delete(batch, "map", 1);
            add(batch, "map", 1, 20);
            delete(batch, "verdicts", 1);
            add_goto(batch, "verdicts", 1, "lb-2");
        });
        assert_eq!(kernel.elements("map"), [element(1, 20), element(2, 10)]);
        assert_eq!(kernel.elements("verdicts"), [goto_element(1, "lb-2"), goto_element(2, "lb-1")]);
    });
}

#[test]
fn a_full_set_takes_a_new_key_for_one_that_is_deleted_earlier_in_the_batch() {
    let name = "transactions::\
                a_full_set_takes_a_new_key_for_one_that_is_deleted_earlier_in_the_batch";
    namespaced(name, || {
        let mut kernel = Kernel::with_table();
        kernel.apply(|batch| {
            batch.add_set(Family::Ip, TABLE, &address_map("map", 2));
            add(batch, "map", 1, 1);
            add(batch, "map", 2, 2);
        });
        kernel.apply(|batch| {
            delete(batch, "map", 1);
            add(batch, "map", 3, 3);
        });
        assert_eq!(kernel.elements("map"), [element(2, 2), element(3, 3)]);
    });
}

#[test]
fn adding_what_exists_is_fine_unless_its_data_differs() {
    namespaced("transactions::adding_what_exists_is_fine_unless_its_data_differs", || {
        let mut kernel = Kernel::with_table();
        kernel.apply(|batch| {
            batch.add_chain(Family::Ip, TABLE, &chain("lb-1"));
            batch.add_chain(Family::Ip, TABLE, &chain("lb-2"));
            batch.add_set(Family::Ip, TABLE, &address_map("map", 8));
            batch.add_set(Family::Ip, TABLE, &verdict_map("verdicts", 8));
            add(batch, "map", 1, 10);
            add_goto(batch, "verdicts", 1, "lb-1");
        });
        kernel.apply(|batch| {
            add(batch, "map", 1, 10);
            add_goto(batch, "verdicts", 1, "lb-1");
        });
        let error = kernel.refusal(|batch| add(batch, "map", 1, 11));
        let start = "cannot add elements to set map of table ip portolan: EEXIST: File exists";
        let end = "; the key exists with other data, or its range overlaps another: delete the \
                   old element in the same transaction";
        assert_names_element(&error, start, 0, end);
        let error = kernel.refusal(|batch| add_goto(batch, "verdicts", 1, "lb-2"));
        assert!(error.contains("EEXIST"), "{error}");
        assert_eq!(kernel.elements("map"), [element(1, 10)]);
    });
}

#[test]
fn chains_and_sets_are_emptied_and_single_rules_deleted() {
    namespaced("transactions::chains_and_sets_are_emptied_and_single_rules_deleted", || {
        let mut kernel = Kernel::with_table();
        kernel.apply(|batch| {
            batch.add_set(Family::Ip, TABLE, &address_map("map", 8));
            add(batch, "map", 1, 1);
            batch.add_chain(Family::Ip, TABLE, &chain("c"));
            for verdict in [OwnedVerdict::Accept, OwnedVerdict::Drop, OwnedVerdict::Return] {
                batch.add_rule(Family::Ip, TABLE, "c", &rule(verdict));
            }
        });
        let rules = kernel.connection.rules(Family::Ip, TABLE).unwrap();
        assert_eq!(rules.len(), 3);
        kernel.apply(|batch| batch.delete_rule(Family::Ip, TABLE, "c", rules[1].handle));
        let left = kernel.connection.rules(Family::Ip, TABLE).unwrap();
        assert_eq!(left, [rules[0].clone(), rules[2].clone()]);
        kernel.apply(|batch| {
            batch.flush_chain(Family::Ip, TABLE, "c");
            batch.flush_set(Family::Ip, TABLE, "map");
        });
        assert_eq!(kernel.connection.rules(Family::Ip, TABLE).unwrap(), []);
        assert_eq!(kernel.elements("map"), []);
        kernel.apply(|batch| {
            batch.flush_chain(Family::Ip, TABLE, "c");
            batch.flush_set(Family::Ip, TABLE, "map");
        });
    });
}

#[test]
fn a_table_that_may_not_exist_is_deleted_by_adding_it_first() {
    namespaced("transactions::a_table_that_may_not_exist_is_deleted_by_adding_it_first", || {
        let mut connection = Connection::open().unwrap();
        for _ in 0..2 {
            let mut batch = Batch::new(None);
            let table = Table { name: TABLE.to_owned(), ..Table::default() };
            batch.add_table(Family::Ip, &table);
            batch.delete_table(Family::Ip, TABLE);
            connection.commit(&mut batch).unwrap();
            assert_eq!(connection.tables(Family::Ip).unwrap(), []);
        }
    });
}

#[test]
fn adding_a_table_puts_it_to_sleep_and_wakes_it() {
    namespaced("transactions::adding_a_table_puts_it_to_sleep_and_wakes_it", || {
        let mut kernel = Kernel::with_table();
        for dormant in [true, false] {
            let table = Table { name: TABLE.to_owned(), comment: None, dormant };
            kernel.apply(|batch| batch.add_table(Family::Ip, &table));
            assert_eq!(kernel.connection.tables(Family::Ip).unwrap(), [table]);
        }
    });
}

fn rule(verdict: OwnedVerdict) -> Rule {
    Rule { expressions: vec![Expression::Verdict(verdict)], comment: None }
}
