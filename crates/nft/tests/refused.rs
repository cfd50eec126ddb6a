//! Tables that the kernel does not let us change, or not in one transaction, in namespaces of
//! their own.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::time::{Duration, Instant};

use portolan_core::{Backend, SyncReport};
use portolan_lab::namespaced;
use portolan_netlink::nftables::{
    BaseChain, Batch, Chain, ChainKind, Connection, Data, ElementOperation, ElementView, Family,
    Field, Hook, Policy, Set, SetData, Table, Verdict,
};
use portolan_nft::{NftBackend, NftOptions, inspect};

const TABLE: &str = "portolan";

/// Puts a chain of the same name in the place of a base chain, and a map that leads there: the
/// chain cannot be deleted before the map, and the map goes after it.
fn entangle(batch: &mut Batch) {
    let chain = Chain { name: "nat-postrouting".to_owned(), ..Chain::default() };
    batch.flush_chain(Family::Ip, TABLE, &chain.name);
    batch.delete_chain(Family::Ip, TABLE, &chain.name);
    batch.add_chain(Family::Ip, TABLE, &chain);
    lead_to(batch, &chain.name);
}

/// A map that leads to a chain.
fn lead_to(batch: &mut Batch, chain: &str) {
    let map = Set {
        name: "theirs".to_owned(),
        key: vec![Field::Ipv4Address],
        data: Some(SetData::Verdict),
        size: Some(4),
        ..Set::default()
    };
    batch.add_set(Family::Ip, TABLE, &map);
    batch.elements(Family::Ip, TABLE, "theirs", ElementOperation::Add).push(
        &[9, 9, 9, 9],
        Some(Data::Verdict(Verdict::Goto(chain))),
        None,
    );
}

#[test]
fn a_table_that_the_kernel_does_not_let_us_change_is_made_anew() {
    namespaced("a_table_that_the_kernel_does_not_let_us_change_is_made_anew", || {
        let (plans, environment) = (common::one_of_each(), common::environment());
        let mut backend = NftBackend::open(NftOptions::default()).unwrap();
        let mut converge = || backend.converge(&mut plans.iter(), &environment);
        converge().unwrap();
        let before = inspect(TABLE).unwrap();

        let mut connection = Connection::open().unwrap();
        let mut batch = Batch::new(None);
        let other = Table { name: "other".to_owned(), ..Table::default() };
        batch.add_table(Family::Ip, &other);
        entangle(&mut batch);
        connection.commit(&mut batch).unwrap();

        for _ in 0..2 {
            let refused = converge().unwrap_err().to_string();
            assert!(refused.contains("chain nat-postrouting of table ip portolan"), "{refused}");
        }
        converge().unwrap();
        assert_eq!(inspect(TABLE).unwrap(), before);
        assert_eq!(converge().unwrap(), SyncReport::default(), "that was all");
        assert!(connection.tables(Family::Ip).unwrap().contains(&other));
    });
}

/// A client that the rules would have remembered.
const CLIENT: [u8; 16] = [203, 0, 113, 1, 1, 2, 3, 6, 6, 0, 0, 0, 0, 80, 0, 0];

fn remember_a_client(batch: &mut Batch) {
    let seat = Some(Data::Bytes(&[0; 4]));
    batch.elements(Family::Ip, TABLE, "affinity", ElementOperation::Add).push(&CLIENT, seat, None);
}

fn remembered() -> Vec<Vec<u8>> {
    let mut clients = Vec::new();
    let mut connection = Connection::open().unwrap();
    let visit = &mut |element: ElementView<'_>| clients.push(element.key.to_vec());
    connection.elements(Family::Ip, TABLE, "affinity", visit).unwrap();
    clients
}

fn switch_off(batch: &mut Batch) {
    let table = Table { name: TABLE.to_owned(), dormant: true, ..Table::default() };
    batch.add_table(Family::Ip, &table);
}

fn delete_chain(batch: &mut Batch, name: &str) {
    batch.flush_chain(Family::Ip, TABLE, name);
    batch.delete_chain(Family::Ip, TABLE, name);
}

/// A base chain of this name where none of ours is.
fn misplace(batch: &mut Batch, name: &str) {
    let (kind, hook, policy) = (ChainKind::Nat, Hook::Output, Policy::Accept);
    let base = Some(BaseChain { kind, hook, priority: -77, policy });
    let chain = Chain { name: name.to_owned(), base, comment: None };
    batch.add_chain(Family::Ip, TABLE, &chain);
}

type Edit = fn(&mut Batch);

/// A base chain that drops everything, beside a map that leads to another chain.
fn block(batch: &mut Batch) {
    let (kind, hook, policy) = (ChainKind::Filter, Hook::Output, Policy::Drop);
    let base = Some(BaseChain { kind, hook, priority: -77, policy });
    for (name, base) in [("theirs", base), ("led-to", None)] {
        let chain = Chain { name: name.to_owned(), base, comment: None };
        batch.add_chain(Family::Ip, TABLE, &chain);
    }
    lead_to(batch, "led-to");
}

/// What others did before they switched the table off, and how many transactions mend it.
const EDITS: [(&str, usize, Edit); 6] = [
    ("nothing", 1, |_| {}),
    ("a base chain is gone", 2, |batch| delete_chain(batch, "nat-output")),
    ("a base chain has another priority", 2, |batch| {
        delete_chain(batch, "nat-output");
        misplace(batch, "nat-output");
    }),
    ("there is another base chain", 2, |batch| misplace(batch, "theirs")),
    ("there are another base chain, and a chain that a map leads to", 3, block),
    ("all of that", 2, |batch| {
        delete_chain(batch, "nat-output");
        misplace(batch, "nat-output");
        misplace(batch, "theirs");
    }),
];

fn commit(edit: Edit) {
    let mut batch = Batch::new(None);
    edit(&mut batch);
    Connection::open().unwrap().commit(&mut batch).unwrap();
}

#[test]
fn a_table_that_is_switched_off_is_switched_on_and_keeps_its_clients_whatever_else_is_mended() {
    let name =
        "a_table_that_is_switched_off_is_switched_on_and_keeps_its_clients_whatever_else_is_mended";
    namespaced(name, || {
        let (plans, environment) = (common::one_of_each(), common::environment());
        let start = || NftBackend::open(NftOptions::default()).unwrap();
        start().converge(&mut plans.iter(), &environment).unwrap();
        let before = inspect(TABLE).unwrap();
        commit(remember_a_client);
        for (what, transactions, edit) in EDITS {
            commit(edit);
            commit(switch_off);
            let mut backend = start();
            let report = backend.converge(&mut plans.iter(), &environment);
            let report = report.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(report.transactions, transactions, "{what}");
            assert_eq!(inspect(TABLE).unwrap(), before, "{what}");
            assert_eq!(remembered(), [CLIENT], "{what}");
            let tables = Connection::open().unwrap().tables(Family::Ip).unwrap();
            assert!(tables.iter().all(|table| !table.dormant), "{what}");
            let later = Instant::now() + Duration::from_secs(3600);
            assert!(!backend.is_disturbed_at(later).unwrap(), "{what}: no change by others");
            let again = start().converge(&mut plans.iter(), &environment).unwrap();
            assert_eq!(again, SyncReport::default(), "{what}: that was all");
        }
    });
}
