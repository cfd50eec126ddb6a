//! Requests as bytes, and what is made of bytes.

use ipnet::IpNet;
use nix::errno::Errno;
use proptest::prelude::*;

use super::execute::{refuse, write};
use super::uapi::rule;
use super::{LocalRoute, Operation, PolicyRule};
use crate::wire::acknowledgement::Acknowledgement;
use crate::wire::encoder::Encoder;
use crate::wire::message::HEADER as NETLINK_HEADER;

const ACKNOWLEDGE: u16 = 4;

fn rule() -> PolicyRule {
    PolicyRule { v6: false, priority: 100, mark: 0x4000, mask: 0xff00, table: 1000 }
}

pub(super) fn route(network: &str) -> LocalRoute {
    LocalRoute { network: network.parse().unwrap(), table: 1000 }
}

/// One of each kind, both families.
pub(super) fn operations() -> [Operation; 8] {
    let (rule, v6) = (rule(), PolicyRule { v6: true, ..rule() });
    let (narrow, wide) = (route("10.96.0.0/16"), route("fd00:96::/112"));
    [
        Operation::AddRule(rule),
        Operation::AddRule(v6),
        Operation::AddRoute(narrow),
        Operation::AddRoute(wide),
        Operation::DeleteRoute(wide),
        Operation::DeleteRoute(narrow),
        Operation::DeleteRule(v6),
        Operation::DeleteRule(rule),
    ]
}

pub(super) fn encoded(operation: &Operation) -> Vec<u8> {
    let mut encoder = Encoder::default();
    write(operation, 7, ACKNOWLEDGE, &mut encoder);
    assert!(!encoder.take_fault());
    encoder.bytes().to_vec()
}

#[test]
fn a_rule_is_written_as_the_kernel_reads_it() {
    #[rustfmt::skip]
    let expected = [
        68, 0, 0, 0, 32, 0, 5, 6, 7, 0, 0, 0, 0, 0, 0, 0,
        2, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
            8, 0, 6, 0, 100, 0, 0, 0,
            8, 0, 10, 0, 0, 0x40, 0, 0,
            8, 0, 16, 0, 0, 0xff, 0, 0,
            8, 0, 15, 0, 0xe8, 3, 0, 0,
            5, 0, 21, 0, 112, 0, 0, 0,
    ];
    assert_eq!(encoded(&Operation::AddRule(rule())), expected);
    let mut delete = expected;
    delete[4..8].copy_from_slice(&[33, 0, 5, 0]);
    assert_eq!(encoded(&Operation::DeleteRule(rule())), delete);
}

#[test]
fn a_route_is_written_as_the_kernel_reads_it() {
    #[rustfmt::skip]
    let expected = [
        52, 0, 0, 0, 24, 0, 5, 4, 7, 0, 0, 0, 0, 0, 0, 0,
        2, 16, 0, 0, 0, 112, 254, 2, 0, 0, 0, 0,
            8, 0, 1, 0, 10, 96, 0, 0,
            8, 0, 15, 0, 0xe8, 3, 0, 0,
            8, 0, 4, 0, 1, 0, 0, 0,
    ];
    // Bits beyond the prefix are not sent.
    for network in ["10.96.0.0/16", "10.96.3.4/16"] {
        assert_eq!(encoded(&Operation::AddRoute(route(network))), expected);
    }
    #[rustfmt::skip]
    let expected = [
        64, 0, 0, 0, 25, 0, 5, 0, 7, 0, 0, 0, 0, 0, 0, 0,
        10, 112, 0, 0, 0, 112, 254, 2, 0, 0, 0, 0,
            20, 0, 1, 0, 0xfd, 0, 0, 0x96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            8, 0, 15, 0, 0xe8, 3, 0, 0,
            8, 0, 4, 0, 1, 0, 0, 0,
    ];
    assert_eq!(encoded(&Operation::DeleteRoute(route("fd00:96::/112"))), expected);
    let add = encoded(&Operation::AddRoute(route("fd00:96::/112")));
    assert_eq!(add[8..expected.len()], expected[8..]);
    assert_eq!(add[expected.len()..], [8, 0, 6, 0, 1, 0, 0, 0], "the metric");
}

#[test]
fn operations_say_what_they_do() {
    let texts = operations().map(|operation| operation.to_string());
    assert_eq!(texts[0], "add the IPv4 rule 100: fwmark 0x4000/0xff00 lookup 1000");
    assert_eq!(texts[3], "add the local route to fd00:96::/112 in table 1000");
    assert_eq!(texts[5], "delete the local route to 10.96.0.0/16 in table 1000");
    assert_eq!(texts[6], "delete the IPv6 rule 100: fwmark 0x4000/0xff00 lookup 1000");
}

/// What becomes of an operation that the kernel answers with an error.
fn refused(operation: &Operation, errno: Errno) -> Option<String> {
    let acknowledgement = Acknowledgement { error: errno as i32, ..Acknowledgement::default() };
    match refuse(operation, acknowledgement) {
        Ok(refusal) => refusal.map(|refusal| refusal.to_string()),
        Err(error) => Some(error.to_string()),
    }
}

#[test]
fn to_add_what_is_there_and_to_delete_what_is_gone_is_no_failure() {
    for (index, operation) in operations().iter().enumerate() {
        let add = index < 4;
        assert_eq!(refused(operation, Errno::EEXIST).is_none(), add, "{operation}");
        for gone in [Errno::ENOENT, Errno::ESRCH] {
            assert_eq!(refused(operation, gone).is_none(), !add, "{operation}");
        }
    }
}

#[test]
fn refusals_say_what_to_check() {
    for operation in operations() {
        let v6 = match operation {
            Operation::AddRule(rule) | Operation::DeleteRule(rule) => rule.v6,
            Operation::AddRoute(route) | Operation::DeleteRoute(route) => route.is_v6(),
        };
        let option = if v6 { "CONFIG_IPV6_MULTIPLE_TABLES" } else { "CONFIG_IP_MULTIPLE_TABLES" };
        for (errno, expected) in [
            (Errno::EPERM, "CAP_NET_ADMIN"),
            (Errno::EAFNOSUPPORT, option),
            (Errno::EOPNOTSUPP, option),
            (Errno::ENETDOWN, "ip link set lo up"),
            (Errno::EACCES, if v6 { "disable_ipv6" } else { "EACCES" }),
        ] {
            let text = refused(&operation, errno).unwrap();
            assert!(text.contains(expected) && text.contains(&operation.to_string()), "{text}");
        }
    }
}

fn any_network() -> impl Strategy<Value = IpNet> {
    any::<(bool, u32, u128, u8)>().prop_map(|(v6, low, high, length)| {
        let network = match v6 {
            true => IpNet::new(std::net::Ipv6Addr::from(high).into(), length % 129),
            false => IpNet::new(std::net::Ipv4Addr::from(low).into(), length % 33),
        };
        network.unwrap()
    })
}

fn any_rule() -> impl Strategy<Value = PolicyRule> {
    any::<(bool, u32, u32, u32, u32)>().prop_map(|(v6, priority, mark, mask, table)| PolicyRule {
        v6,
        priority,
        mark,
        mask,
        table,
    })
}

fn any_route() -> impl Strategy<Value = LocalRoute> {
    (any_network(), any::<u32>()).prop_map(|(network, table)| LocalRoute { network, table })
}

proptest! {
    #[test]
    fn any_rule_is_read_as_it_was_written(rule in any_rule()) {
        let bytes = encoded(&Operation::AddRule(rule));
        prop_assert_eq!(PolicyRule::decode(&bytes[NETLINK_HEADER..]), Some(rule));
    }

    #[test]
    fn any_route_is_read_as_it_was_written(route in any_route()) {
        let bytes = encoded(&Operation::AddRoute(route));
        let network = route.network.trunc();
        let found = LocalRoute::decode(&bytes[NETLINK_HEADER..]);
        prop_assert_eq!(found, Some(LocalRoute { network, ..route }));
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = PolicyRule::decode(&bytes);
        let _ = LocalRoute::decode(&bytes);
    }

    #[test]
    fn rules_and_routes_with_any_bytes_changed_are_read_without_harm(
        rule in any_rule(),
        route in any_route(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        for operation in [Operation::AddRule(rule), Operation::AddRoute(route)] {
            let mut bytes = encoded(&operation)[NETLINK_HEADER..].to_vec();
            for (index, byte) in &changes {
                let place = index.index(bytes.len());
                bytes[place] = *byte;
            }
            let _ = PolicyRule::decode(&bytes);
            let _ = LocalRoute::decode(&bytes);
        }
    }
}

#[test]
fn a_rule_that_does_anything_else_is_not_ours() {
    let plain = encoded(&Operation::AddRule(rule()))[NETLINK_HEADER..].to_vec();
    for (place, byte) in [(0, 7), (1, 8), (2, 8), (3, 16), (7, 6), (8, 2)] {
        let mut bytes = plain.clone();
        bytes[place] = byte;
        assert_eq!(PolicyRule::decode(&bytes), None, "{place}");
    }
    let with = |kind: u16, payload: &[u8]| {
        let mut encoder = Encoder::default();
        encoder.attribute(kind, payload);
        [&plain, encoder.bytes()].concat()
    };
    for kind in rule::NARROWING {
        assert_eq!(PolicyRule::decode(&with(kind, &[1, 0, 0, 0])), None, "{kind}");
    }
    let kind = rule::SUPPRESS_PREFIX_LENGTH;
    assert_eq!(PolicyRule::decode(&with(kind, &[0; 4])), None);
    assert_eq!(PolicyRule::decode(&with(kind, &[0xff; 4])), Some(rule()), "as the kernel lists");
}

#[test]
fn a_route_that_does_anything_else_is_not_ours() {
    let plain = encoded(&Operation::AddRoute(route("10.96.0.0/16")))[NETLINK_HEADER..].to_vec();
    let interface = plain.len() - 4;
    for (place, byte) in [(0, 7), (1, 33), (2, 8), (3, 16), (5, 4), (7, 1), (interface, 2)] {
        let mut bytes = plain.clone();
        bytes[place] = byte;
        assert_eq!(LocalRoute::decode(&bytes), None, "{place}");
    }
}
