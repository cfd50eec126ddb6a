use std::collections::BTreeSet;

use portolan_lab::namespaced;
use portolan_netlink::NetlinkError;
use portolan_netlink::nftables::{Batch, Data, ElementOperation, Family, Set};

use super::{Kernel, TABLE, address_map};

const COUNT: u32 = 100_000;

fn fill(batch: &mut Batch, set: &str, keys: std::ops::Range<u32>, comment: Option<&str>) {
    let mut writer = batch.elements(Family::Ip, TABLE, set, ElementOperation::Add);
    for key in keys {
        let value = key.wrapping_mul(2_654_435_761).to_be_bytes();
        writer.push(&key.to_be_bytes(), Some(Data::Bytes(&value)), comment);
    }
}

#[test]
fn a_hundred_thousand_elements_travel_in_one_transaction_and_are_listed_exactly() {
    let name = "large::\
                a_hundred_thousand_elements_travel_in_one_transaction_and_are_listed_exactly";
    namespaced(name, || {
        let mut kernel = Kernel::with_table();
        let set = address_map("map", COUNT + COUNT / 4);
        let mut batch = Batch::new(None);
        batch.add_set(Family::Ip, TABLE, &set);
        fill(&mut batch, "map", 0..COUNT, Some("namespace/service:port"));
        assert_eq!(batch.operations(), COUNT as usize + 1);
        let receipt = kernel.connection.commit(&mut batch).unwrap();
        assert!(receipt.bytes > 6_000_000, "{receipt:?}");
        let elements = kernel.elements("map");
        let keys: BTreeSet<_> = elements.iter().map(|element| element.key.clone()).collect();
        assert_eq!(keys, (0..COUNT).map(|key| key.to_be_bytes().to_vec()).collect());
        for (key, element) in (0..).zip(&elements) {
            let mut wanted = super::element(key, key.wrapping_mul(2_654_435_761));
            wanted.comment = Some("namespace/service:port".to_owned());
            assert_eq!(*element, wanted);
        }

        let mut writer = batch_of_deletions(&mut batch);
        (0..COUNT).for_each(|key| writer.push(&key.to_be_bytes(), None, None));
        kernel.connection.commit(&mut batch).unwrap();
        assert_eq!(kernel.elements("map"), []);
    });
}

fn batch_of_deletions(batch: &mut Batch) -> portolan_netlink::nftables::ElementWriter<'_, '_> {
    batch.clear(None);
    batch.elements(Family::Ip, TABLE, "map", ElementOperation::Delete)
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
            assert_eq!(outcome.unwrap().bytes, batch.len_bytes() + 20);
        } else {
            let error = outcome.unwrap_err();
            assert!(matches!(error, NetlinkError::TooLarge { .. }), "{error}");
            assert!(error.to_string().contains("raise net.core.wmem_max to"), "{error}");
            assert_eq!(kernel.connection.sets(Family::Ip, TABLE).unwrap(), []);
        }
    });
}
