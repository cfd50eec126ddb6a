//! Tables that the kernel does not let us change, in namespaces of their own.

mod common;

use portolan_core::{Backend, SyncReport};
use portolan_lab::namespaced;
use portolan_netlink::nftables::{
    Batch, Chain, Connection, Data, ElementOperation, Family, Field, Set, SetData, Table, Verdict,
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
        Some(Data::Verdict(Verdict::Goto("nat-postrouting"))),
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
