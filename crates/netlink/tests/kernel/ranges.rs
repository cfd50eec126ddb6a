use portolan_lab::namespaced;
use portolan_netlink::nftables::{Data, ElementOperation, Family, Field, Set, SetData};

use super::{Kernel, TABLE};

#[test]
fn ranges_of_one_field_are_listed_as_their_two_ends() {
    namespaced("ranges::ranges_of_one_field_are_listed_as_their_two_ends", || {
        let mut kernel = Kernel::with_table();
        let set = Set {
            name: "ranges".to_owned(),
            key: vec![Field::Ipv4Address],
            size: Some(16),
            interval: true,
            ..Set::default()
        };
        kernel.apply(|batch| {
            batch.add_set(Family::Ip, TABLE, &set);
            let mut writer = batch.elements(Family::Ip, TABLE, "ranges", ElementOperation::Add);
            writer.push_range(&[10, 0, 0, 0], &[10, 255, 255, 255], None, Some("private"));
            writer.push_range(&[224, 0, 0, 0], &[255; 4], None, None);
        });
        let ends = |kernel: &mut Kernel| {
            let mut ends = Vec::new();
            let mut visit = |element: portolan_netlink::nftables::ElementView<'_>| {
                ends.push((element.key.to_vec(), element.interval_end));
            };
            kernel.connection.elements(Family::Ip, TABLE, "ranges", &mut visit).unwrap();
            ends.sort();
            ends
        };
        assert_eq!(
            ends(&mut kernel),
            [(vec![10, 0, 0, 0], false), (vec![11, 0, 0, 0], true), (vec![224, 0, 0, 0], false)]
        );
        kernel.apply(|batch| {
            let mut writer = batch.elements(Family::Ip, TABLE, "ranges", ElementOperation::Delete);
            writer.push_range(&[224, 0, 0, 0], &[255; 4], None, None);
            writer.push_range(&[10, 0, 0, 0], &[10, 255, 255, 255], None, None);
        });
        assert_eq!(ends(&mut kernel), []);
    });
}

#[test]
fn ranges_of_several_fields_are_listed_with_both_ends() {
    namespaced("ranges::ranges_of_several_fields_are_listed_with_both_ends", || {
        let mut kernel = Kernel::with_table();
        let set = Set {
            name: "ranges".to_owned(),
            key: vec![Field::Ipv4Address, Field::Port],
            data: Some(SetData::Fields(vec![Field::Slot])),
            size: Some(16),
            interval: true,
            ..Set::default()
        };
        let first = [10, 0, 0, 0, 0, 80, 0, 0];
        let last = [10, 255, 255, 255, 0, 90, 0, 0];
        let data = Data::Bytes(&[1, 0, 0, 0]);
        kernel.apply(|batch| {
            batch.add_set(Family::Ip, TABLE, &set);
            let mut writer = batch.elements(Family::Ip, TABLE, "ranges", ElementOperation::Add);
            writer.push_ranges(&first, &last, Some(data), Some("why"));
        });
        assert_eq!(kernel.connection.sets(Family::Ip, TABLE).unwrap(), [set]);
        let mut seen = 0;
        let mut visit = |element: portolan_netlink::nftables::ElementView<'_>| {
            assert_eq!((element.key, element.key_end), (&first[..], Some(&last[..])));
            assert_eq!((element.data, element.comment), (Some(data), Some("why")));
            seen += 1;
        };
        kernel.connection.elements(Family::Ip, TABLE, "ranges", &mut visit).unwrap();
        assert_eq!(seen, 1);
        kernel.apply(|batch| {
            let mut writer = batch.elements(Family::Ip, TABLE, "ranges", ElementOperation::Delete);
            writer.push_ranges(&first, &last, None, None);
        });
        assert_eq!(kernel.elements("ranges"), []);
    });
}
