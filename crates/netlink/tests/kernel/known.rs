use portolan_lab::{kernel_is_at_least, namespaced};
use portolan_netlink::nftables::{Batch, Data, ElementOperation, Family, Set};

use super::listings::while_others_change_theirs;
use super::{Kernel, TABLE, address_map};

const COUNT: u32 = 5000;

/// A map with the elements 0 to COUNT - 1, each with its own number.
fn filled() -> Kernel {
    let mut kernel = Kernel::with_table();
    kernel.apply(|batch| {
        batch.add_set(Family::Ip, TABLE, &Set { size: Some(16_384), ..address_map("map", 0) });
        add(batch, 0..COUNT);
    });
    kernel
}

fn add(batch: &mut Batch, keys: std::ops::Range<u32>) {
    let mut writer = batch.elements(Family::Ip, TABLE, "map", ElementOperation::Add);
    for key in keys {
        writer.push(&key.to_be_bytes(), Some(Data::Bytes(&key.to_be_bytes())), None);
    }
}

/// How many are found, and which, if it is certain that there are no others.
fn known(kernel: &mut Kernel, set: &str, keys: &[u32]) -> Option<Vec<u32>> {
    let mut visited = Vec::new();
    let mut keys = keys.iter().map(|key| key.to_be_bytes());
    let found = kernel
        .connection
        .known_elements(Family::Ip, TABLE, set, &mut keys, &mut |element| {
            assert_eq!(element.data, Some(Data::Bytes(element.key)));
            visited.push(u32::from_be_bytes(element.key.try_into().unwrap()));
        })
        .unwrap();
    assert!(found.is_none_or(|found| found == visited.len()), "{found:?} of {visited:?}");
    found.map(|_| visited)
}

/// Linux 6.16 and newer tell how many elements a set holds.
fn counts_elements() -> bool {
    kernel_is_at_least(6, 16)
}

#[test]
fn elements_are_found_by_their_keys_if_the_set_holds_no_others() {
    namespaced("known::elements_are_found_by_their_keys_if_the_set_holds_no_others", || {
        let mut kernel = filled();
        let all: Vec<u32> = (0..COUNT).collect();
        // Some that are missing, at the start, at the end and together.
        let mut more = vec![COUNT + 7];
        more.extend_from_slice(&all[..1500]);
        more.extend([COUNT + 1, COUNT + 2]);
        more.extend_from_slice(&all[1500..]);
        more.push(COUNT);
        for keys in [&all, &more] {
            let found = known(&mut kernel, "map", keys);
            assert_eq!(found.is_some(), counts_elements());
            assert!(found.is_none_or(|found| found == all), "all, in the order asked for");
        }
        assert!(known(&mut kernel, "map", &all[1..]).is_none(), "one is not asked for");
        assert!(known(&mut kernel, "map", &[]).is_none(), "none is asked for");
        assert!(known(&mut kernel, "absent", &all).is_none());
        kernel.apply(|batch| add(batch, COUNT..COUNT + 1));
        assert!(known(&mut kernel, "map", &all).is_none(), "one was added");
        kernel.apply(|batch| batch.flush_set(Family::Ip, TABLE, "map"));
        assert_eq!(known(&mut kernel, "map", &all), counts_elements().then(Vec::new));
        assert_eq!(kernel.elements("map"), [], "the connection is still in step");
    });
}

#[test]
fn elements_are_found_by_their_keys_while_others_change_theirs_without_a_pause() {
    let name = "known::elements_are_found_by_their_keys_while_others_change_theirs_without_a_pause";
    namespaced(name, || {
        let mut kernel = filled();
        let all: Vec<u32> = (0..COUNT).collect();
        while_others_change_theirs(|| {
            for _ in 0..10 {
                assert_eq!(known(&mut kernel, "map", &all), counts_elements().then(|| all.clone()));
                assert!(known(&mut kernel, "map", &all[1..]).is_none(), "one is not asked for");
            }
        });
    });
}

#[test]
fn an_element_for_all_other_keys_is_never_overlooked() {
    namespaced("known::an_element_for_all_other_keys_is_never_overlooked", || {
        let mut kernel = filled();
        if !counts_elements() {
            return; // Nothing is looked up there.
        }
        let all: Vec<u32> = (0..COUNT).collect();
        let data = Some(Data::Bytes(&[10, 0, 0, 9]));
        kernel.apply(|batch| {
            batch
                .elements(Family::Ip, TABLE, "map", ElementOperation::Add)
                .push_catch_all(data, None);
        });
        assert!(known(&mut kernel, "map", &all).is_none(), "it is there");
        kernel.apply(|batch| {
            batch
                .elements(Family::Ip, TABLE, "map", ElementOperation::Delete)
                .push_catch_all(None, None);
        });
        assert_eq!(known(&mut kernel, "map", &all), Some(all), "it is gone");
    });
}
