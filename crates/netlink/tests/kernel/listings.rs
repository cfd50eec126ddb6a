use std::sync::atomic::{AtomicBool, Ordering};

use portolan_lab::namespaced;
use portolan_netlink::NetlinkError;
use portolan_netlink::nftables::{Batch, Connection, Data, ElementOperation, Family, Table};

use super::{Kernel, TABLE, add, address_map, chain};

#[test]
fn what_is_absent_lists_as_nothing() {
    namespaced("listings::what_is_absent_lists_as_nothing", || {
        let mut connection = Connection::open().unwrap();
        for family in [Family::Ip, Family::Ip6] {
            check_nothing(&mut connection, family);
        }
        let mut kernel = Kernel::with_table();
        assert_eq!(kernel.elements("absent"), []);
        check_nothing(&mut connection, Family::Ip6);
    });
}

fn check_nothing(connection: &mut Connection, family: Family) {
    assert_eq!(connection.tables(family).unwrap(), []);
    assert_eq!(connection.chains(family, TABLE).unwrap(), []);
    assert_eq!(connection.rules(family, TABLE).unwrap(), []);
    assert_eq!(connection.sets(family, TABLE).unwrap(), []);
    assert_eq!(connection.elements(family, TABLE, "set", &mut |_| unreachable!()).unwrap(), 0);
}

#[test]
fn other_tables_do_not_show() {
    namespaced("listings::other_tables_do_not_show", || {
        let mut kernel = Kernel::with_table();
        for (family, name) in [(Family::Ip, "other"), (Family::Ip6, TABLE)] {
            let table = Table { name: name.to_owned(), ..Table::default() };
            kernel.apply(|batch| {
                batch.add_table(family, &table);
                batch.add_set(family, name, &address_map("map", 2));
                batch.add_chain(family, name, &chain("c"));
            });
        }
        assert_eq!(kernel.connection.chains(Family::Ip, TABLE).unwrap(), []);
        assert_eq!(kernel.connection.sets(Family::Ip, TABLE).unwrap(), []);
        assert_eq!(kernel.connection.rules(Family::Ip, TABLE).unwrap(), []);
        assert_eq!(kernel.connection.tables(Family::Ip).unwrap().len(), 2);
        assert_eq!(kernel.connection.sets(Family::Ip6, TABLE).unwrap().len(), 1);
    });
}

#[test]
fn a_listing_during_changes_shows_one_state_or_says_that_it_could_not() {
    let name = "listings::a_listing_during_changes_shows_one_state_or_says_that_it_could_not";
    namespaced(name, || {
        let mut kernel = Kernel::with_table();
        kernel.apply(|batch| batch.add_set(Family::Ip, TABLE, &address_map("map", 20_000)));
        write_all(&mut kernel, 0, false);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut writer = Kernel { connection: Connection::open().unwrap() };
                for round in 1..=30 {
                    write_all(&mut writer, round, true);
                }
                done.store(true, Ordering::Relaxed);
            });
            let mut listings = 0;
            while !done.load(Ordering::Relaxed) {
                listings += usize::from(list_one_state(&mut kernel));
            }
            assert!(list_one_state(&mut kernel), "a quiet table is listed");
            println!("{listings} listings between the changes");
        });
    });
}

#[test]
fn a_table_is_listed_while_others_change_theirs_without_a_pause() {
    namespaced("listings::a_table_is_listed_while_others_change_theirs_without_a_pause", || {
        let mut kernel = Kernel::with_table();
        kernel.apply(|batch| {
            batch.add_set(Family::Ip, TABLE, &address_map("map", 65_536));
            batch.add_chain(Family::Ip, TABLE, &chain("ours"));
        });
        // A listing takes longer than a transaction of others.
        for start in (0..50_000).step_by(2000) {
            kernel.apply(|batch| (start..start + 2000).for_each(|key| add(batch, "map", key, key)));
        }
        let elements = kernel.elements("map");
        while_others_change_theirs(|| {
            for _ in 0..3 {
                assert!(kernel.elements("map") == elements);
                assert_eq!(kernel.connection.chains(Family::Ip, TABLE).unwrap(), [chain("ours")]);
            }
        });
    });
}

/// Ends a thread also where a test fails.
struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does something while another program changes a table of its own without a pause.
pub(crate) fn while_others_change_theirs(act: impl FnOnce()) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| change_another_table_until(&done));
        let _end = OnDrop(&done);
        act();
    });
}

fn change_another_table_until(done: &AtomicBool) {
    let mut writer = Kernel { connection: Connection::open().unwrap() };
    let table = Table { name: "other".to_owned(), ..Table::default() };
    writer.apply(|batch| batch.add_table(Family::Ip, &table));
    while !done.load(Ordering::Relaxed) {
        writer.apply(|batch| batch.add_chain(Family::Ip, "other", &chain("theirs")));
        writer.apply(|batch| batch.delete_chain(Family::Ip, "other", "theirs"));
    }
}

const COUNT: u32 = 5000;

/// Gives every element the number of the round, in one transaction.
fn write_all(kernel: &mut Kernel, round: u32, replace: bool) {
    let mut batch = Batch::new(None);
    if replace {
        batch.flush_set(Family::Ip, TABLE, "map");
    }
    let mut writer = batch.elements(Family::Ip, TABLE, "map", ElementOperation::Add);
    for key in 0..COUNT {
        writer.push(&key.to_be_bytes(), Some(Data::Bytes(&round.to_be_bytes())), None);
    }
    kernel.connection.commit(&mut batch).unwrap();
}

/// Whether the set could be listed; if so, all elements must be of one round.
fn list_one_state(kernel: &mut Kernel) -> bool {
    let mut rounds = Vec::new();
    let outcome = kernel.connection.elements(Family::Ip, TABLE, "map", &mut |element| {
        if let Some(Data::Bytes(round)) = element.data {
            rounds.push(round.to_vec());
        }
    });
    if let Err(NetlinkError::Interrupted { .. }) = outcome {
        assert!(rounds.is_empty(), "nothing is visited unless all is");
        return false;
    }
    assert_eq!(outcome.unwrap(), COUNT as usize);
    rounds.dedup();
    assert_eq!(rounds.len(), 1, "{rounds:?}");
    true
}
