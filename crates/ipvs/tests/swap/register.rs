//! What others do to the table of the register, while clients come.

use std::time::Duration;

use portolan_ipvs::Mode;
use portolan_lab::{NewConnections, namespaced_as_superuser};
use portolan_netlink::nftables::{
    Batch, Chain, Connection, Data, ElementOperation, Family, Field, Set, SetData, Table, Verdict,
};

use crate::node::{Clients, Node};

const TABLE: &str = "portolan-ipvs";

fn switch_off(family: Family, batch: &mut Batch) {
    let table = Table { name: TABLE.to_owned(), dormant: true, ..Table::default() };
    batch.add_table(family, &table);
}

fn switch_off_without_a_rule(family: Family, batch: &mut Batch) {
    batch.flush_chain(family, TABLE, "input");
    switch_off(family, batch);
}

/// A map that leads to a chain of theirs, which cannot be deleted before it.
fn entangle(family: Family, batch: &mut Batch) {
    batch.add_chain(family, TABLE, &Chain { name: "theirs".to_owned(), ..Chain::default() });
    let map = Set {
        name: "their-map".to_owned(),
        key: vec![Field::Port],
        data: Some(SetData::Verdict),
        size: Some(4),
        ..Set::default()
    };
    batch.add_set(family, TABLE, &map);
    let goto = Some(Data::Verdict(Verdict::Goto("theirs")));
    batch.elements(family, TABLE, &map.name, ElementOperation::Add).push(&[0, 9], goto, None);
}

/// A set of another key in the place of ours: it takes none of our servers.
fn declare_otherwise(family: Family, batch: &mut Batch) {
    let chains = ["early-output", "new-output", "input", "not-handed-over"];
    chains.into_iter().for_each(|chain| batch.flush_chain(family, TABLE, chain));
    let (name, key) = ("virtual-servers".to_owned(), vec![Field::Port]);
    batch.delete_set(family, TABLE, &name);
    batch.add_set(family, TABLE, &Set { name, key, size: Some(1 << 18), ..Set::default() });
}

#[test]
fn whatever_others_make_of_the_register_it_is_mended_and_nobody_notices() {
    let name = "register::whatever_others_make_of_the_register_it_is_mended_and_nobody_notices";
    namespaced_as_superuser(name, || {
        for v6 in [false, true] {
            let family = if v6 { Family::Ip6 } else { Family::Ip };
            let mut node = Node::start(v6, Mode::Ipvs, Duration::from_secs(600));
            let mut clients = Clients::connect(&node, 10, 5);
            let new_connections = NewConnections::start(&node.topology, &node.frontends());
            let edits: [fn(Family, &mut Batch); 4] =
                [switch_off, switch_off_without_a_rule, entangle, declare_otherwise];
            for (number, edit) in edits.into_iter().enumerate() {
                node.run(|| {
                    let mut batch = Batch::new(None);
                    edit(family, &mut batch);
                    Connection::open().unwrap().commit(&mut batch).unwrap();
                });
                assert!(node.is_disturbed_later(), "edit {number}");
                node.converge();
                clients.talk(&format!("after edit {number}"));
                assert!(!node.is_disturbed_later(), "edit {number} is undone");
                assert_eq!(node.restart(Mode::Ipvs), 0, "edit {number}: the servers are ours");
            }
            let (count, failures) = new_connections.stop();
            assert_eq!(failures, Vec::<String>::new(), "of {count} new connections");
        }
    });
}
