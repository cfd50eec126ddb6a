use std::ops::Range;

use portolan_lab::namespaced;
use portolan_netlink::NetlinkError;
use portolan_netlink::nftables::{Batch, Data, ElementOperation, Family, Set};

use super::{Kernel, TABLE, address_map};

const COUNT: u32 = 100_000;
const COMMENT: Option<&str> = Some("namespace/service:port");
/// What a commit sends beyond the bytes of its batch.
const END_OF_FRAME: usize = 20;

fn value(key: u32) -> u32 {
    key.wrapping_mul(2_654_435_761)
}

fn fill(batch: &mut Batch, set: &str, keys: Range<u32>, comment: Option<&str>) {
    let mut writer = batch.elements(Family::Ip, TABLE, set, ElementOperation::Add);
    for key in keys {
        writer.push(&key.to_be_bytes(), Some(Data::Bytes(&value(key).to_be_bytes())), comment);
    }
}

#[test]
fn a_hundred_thousand_elements_are_written_and_listed_exactly() {
    namespaced("large::a_hundred_thousand_elements_are_written_and_listed_exactly", || {
        let mut kernel = Kernel::with_table();
        kernel.apply(|batch| {
            batch.add_set(Family::Ip, TABLE, &address_map("map", COUNT + COUNT / 4));
        });
        in_as_few_as_possible(&mut kernel, |batch, keys| fill(batch, "map", keys, COMMENT));
        let elements = kernel.elements("map");
        assert_eq!(elements.len(), COUNT as usize);
        for (key, element) in (0..).zip(&elements) {
            let mut wanted = super::element(key, value(key));
            wanted.comment = COMMENT.map(str::to_owned);
            assert_eq!(*element, wanted);
        }
        in_as_few_as_possible(&mut kernel, |batch, keys| {
            let mut writer = batch.elements(Family::Ip, TABLE, "map", ElementOperation::Delete);
            keys.for_each(|key| writer.push(&key.to_be_bytes(), None, None));
        });
        assert_eq!(kernel.elements("map"), []);
    });
}

/// Writes all keys in one transaction, or in as many equal ones as the limit for processes
/// without privilege demands.
fn in_as_few_as_possible(kernel: &mut Kernel, write: impl Fn(&mut Batch, Range<u32>)) {
    let mut batch = Batch::new(None);
    write(&mut batch, 0..COUNT);
    assert_eq!(batch.operations(), COUNT as usize);
    let outcome = kernel.connection.commit(&mut batch);
    let Err(NetlinkError::TooLarge { bytes, limit }) = outcome else {
        assert_eq!(outcome.unwrap().bytes, batch.len_bytes() + END_OF_FRAME);
        return;
    };
    let pieces = u32::try_from(bytes / limit).unwrap() + 1;
    println!("net.core.wmem_max makes it {pieces} transactions");
    let length = COUNT.div_ceil(pieces);
    for start in (0..COUNT).step_by(length as usize) {
        batch.clear(None);
        write(&mut batch, start..COUNT.min(start + length));
        kernel.connection.commit(&mut batch).unwrap();
    }
}

/// Whether this process is in the user namespace that the system began with: only there
/// does it have unlimited send buffers.
fn in_initial_user_namespace() -> bool {
    let map = std::fs::read_to_string("/proc/self/uid_map").unwrap();
    map.split_whitespace().collect::<Vec<_>>() == ["0", "0", "4294967295"]
}

#[test]
fn a_transaction_larger_than_the_send_buffer_is_refused_before_it_is_sent() {
    let name = "large::a_transaction_larger_than_the_send_buffer_is_refused_before_it_is_sent";
    namespaced(name, || {
        let mut kernel = Kernel::with_table();
        let limit = std::fs::read_to_string("/proc/sys/net/core/wmem_max")
            .map_or(4 << 20, |text| text.trim().parse::<usize>().unwrap());
        let mut batch = Batch::new(None);
        batch.add_set(Family::Ip, TABLE, &Set { size: Some(1 << 20), ..address_map("map", 0) });
        let comment = "c".repeat(128);
        let mut first = 0;
        while batch.len_bytes() <= 2 * limit {
            fill(&mut batch, "map", first..first + 1000, Some(&comment));
            first += 1000;
        }
        let outcome = kernel.connection.commit(&mut batch);
        if in_initial_user_namespace() {
            assert_eq!(outcome.unwrap().bytes, batch.len_bytes() + END_OF_FRAME);
        } else {
            let error = outcome.unwrap_err();
            assert!(matches!(error, NetlinkError::TooLarge { .. }), "{error}");
            assert!(error.to_string().contains("raise net.core.wmem_max to"), "{error}");
            assert_eq!(kernel.connection.sets(Family::Ip, TABLE).unwrap(), []);
        }
    });
}
