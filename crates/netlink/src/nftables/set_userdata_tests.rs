//! Compares with what nft 1.0.6 wrote for the same declarations on a little-endian machine.
#![cfg(target_endian = "little")]

use super::Field::{InterfaceName, Ipv4Address, Ipv6Address, Port, Protocol, Slot};
use super::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn check(key: &[Field], data: Option<SetData>, comment: Option<&str>, wanted: &str) {
    let set =
        Set { key: key.to_vec(), data, comment: comment.map(str::to_owned), ..Set::default() };
    assert_eq!(hex(&encode(&set)), wanted, "{set:?}");
}

fn fields(fields: &[Field]) -> Option<SetData> {
    Some(SetData::Fields(fields.to_vec()))
}

#[test]
fn sets_and_maps_declared_with_type() {
    let verdict = Some(SetData::Verdict);
    check(&[Ipv4Address], None, None, "000402000000");
    check(&[InterfaceName], None, None, "000401000000");
    check(&[Ipv4Address, Ipv4Address], None, None, "000400000000030800040d0000000100");
    check(
        &[Ipv4Address, Protocol, Port],
        verdict.clone(),
        Some("svc"),
        "000400000000010400000000030800040d0000000100060400000000070473766300",
    );
    check(&[Ipv4Address], verdict, None, "000402000000010400000000060400000000");
    check(&[Port], fields(&[Protocol]), None, "000402000000010400000000060400000000");
    check(
        &[Ipv4Address],
        fields(&[Ipv4Address, Port]),
        None,
        "000402000000010400000000040800040d0000000100060400000000",
    );
    check(
        &[Ipv4Address, Port],
        fields(&[Ipv4Address, Port]),
        None,
        "000400000000010400000000030800040d0000000100040800040d0000000100060400000000",
    );
}

#[test]
fn maps_of_endpoints_declared_with_typeof() {
    check(
        &[Ipv4Address, Protocol, Port, Slot],
        fields(&[Ipv4Address, Port]),
        None,
        "000400000000010400000000036000040d00000001580014000407000000010c00040c00000001040c00\
         0000010e00040900000001060004100000000214000407000000010c00040b000000010402000000031a\
         0004170000000112000401000000010402000000020400000000043400040d000000012c001400040700\
         0000010c00040c00000001040c0000000114000407000000010c00040b00000001040200000006040000\
         0000",
    );
    check(
        &[Ipv6Address, Protocol, Port, Slot],
        fields(&[Ipv6Address, Port]),
        Some("eps"),
        "000400000000010400000000036000040d00000001580014000407000000010c00040d00000001040900\
         0000010e00040900000001060004100000000214000407000000010c00040b000000010402000000031a\
         0004170000000112000401000000010402000000020400000000043400040d000000012c001400040700\
         0000010c00040d0000000104090000000114000407000000010c00040b00000001040200000006040000\
         0000070465707300",
    );
}

#[test]
fn maps_declared_with_typeof_of_other_shapes() {
    check(
        &[Slot],
        fields(&[Ipv6Address]),
        None,
        "000401000000010402000000031a00041700000001120004010000000104020000000204000000000414\
         000407000000010c00040d000000010409000000060400000000",
    );
    check(
        &[Slot, Ipv4Address],
        Some(SetData::Verdict),
        None,
        "000400000000010400000000033a00040d0000000132001a000417000000011200040100000001040200\
         00000204000000000114000407000000010c00040c00000001040c000000040800040100000001000604\
         00000000",
    );
}

#[test]
fn a_long_comment_is_cut_to_the_room_that_is_left() {
    let set = Set {
        key: vec![Ipv4Address, Protocol, Port, Slot],
        data: fields(&[Ipv4Address, Port]),
        comment: Some("c".repeat(300)),
        ..Set::default()
    };
    let data = encode(&set);
    assert_eq!(data.len(), USERDATA_MAX);
    assert!(comment(Some(&data)).unwrap().starts_with("ccc"));
}

#[test]
fn types_too_long_to_describe_are_left_out_rather_than_cut() {
    let set = Set { key: vec![Slot; 12], ..Set::default() };
    assert_eq!(hex(&encode(&set)), "000400000000");
}
