//! Requests as bytes, and what is made of bytes.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::connection::refusal;
use super::uapi::{destination, service, top};
use super::{Destination, DestinationState, Operation, Server, ServerKey};
use crate::wire::acknowledgement::Acknowledgement;
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn web() -> ServerKey {
    ServerKey::Address { protocol: 6, address: address("10.96.0.10:80") }
}

fn encoded(operation: &Operation) -> Vec<u8> {
    let mut encoder = Encoder::default();
    operation.encode(&mut encoder);
    assert!(!encoder.take_fault());
    encoder.bytes().to_vec()
}

#[test]
fn a_virtual_server_is_written_as_the_kernel_reads_it() {
    let server =
        Server { key: web(), scheduler: "rr".to_owned(), flags: 0, persistence: Some(10_800) };
    #[rustfmt::skip]
    let expected = [
        84, 0, 1, 0x80,
            6, 0, 1, 0, 2, 0, 0, 0,
            6, 0, 2, 0, 6, 0, 0, 0,
            20, 0, 3, 0, 10, 96, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            6, 0, 4, 0, 0, 80, 0, 0,
            7, 0, 6, 0, b'r', b'r', 0, 0,
            12, 0, 7, 0, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff,
            8, 0, 8, 0, 0x30, 0x2a, 0, 0,
            8, 0, 9, 0, 0xff, 0xff, 0xff, 0xff,
    ];
    assert_eq!(encoded(&Operation::AddServer(server)), expected);
}

#[test]
fn a_destination_is_written_as_the_kernel_reads_it() {
    let mark = ServerKey::Mark { mark: 0x4_0001, v6: true };
    let destination = Destination { address: address("[fd00::1]:8080"), weight: 3 };
    #[rustfmt::skip]
    let expected = [
        20, 0, 1, 0x80, 6, 0, 1, 0, 10, 0, 0, 0, 8, 0, 5, 0, 1, 0, 4, 0,
        72, 0, 2, 0x80,
            20, 0, 1, 0, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
            6, 0, 2, 0, 0x1f, 0x90, 0, 0,
            6, 0, 11, 0, 10, 0, 0, 0,
            8, 0, 3, 0, 0, 0, 0, 0,
            8, 0, 4, 0, 3, 0, 0, 0,
            8, 0, 5, 0, 0, 0, 0, 0,
            8, 0, 6, 0, 0, 0, 0, 0,
    ];
    assert_eq!(encoded(&Operation::AddDestination(mark, destination)), expected);
}

#[test]
fn operations_say_what_they_do() {
    let (web, pod) = (web(), address("10.244.1.2:8080"));
    let server = Server { key: web, scheduler: "mh".to_owned(), flags: 0, persistence: None };
    let to_zero = Destination { address: pod, weight: 0 };
    for (operation, expected) in [
        (Operation::AddServer(server), "add virtual server TCP 10.96.0.10:80 with scheduler mh"),
        (Operation::DeleteServer(web), "delete virtual server TCP 10.96.0.10:80"),
        (
            Operation::ChangeDestination(web, to_zero),
            "change destination 10.244.1.2:8080 of virtual server TCP 10.96.0.10:80 to weight 0",
        ),
        (
            Operation::DeleteDestination(ServerKey::Mark { mark: 255, v6: true }, pod),
            "delete destination 10.244.1.2:8080 from virtual server mark 0xff of IPv6",
        ),
    ] {
        assert_eq!(operation.to_string(), expected);
    }
}

fn any_address() -> impl Strategy<Value = SocketAddr> {
    any::<(bool, u32, u128, u16)>().prop_map(|(v6, low, high, port)| match v6 {
        true => SocketAddr::new(std::net::Ipv6Addr::from(high).into(), port),
        false => SocketAddr::new(std::net::Ipv4Addr::from(low).into(), port),
    })
}

fn any_key() -> impl Strategy<Value = ServerKey> {
    let by_address = (any::<u8>(), any_address())
        .prop_map(|(protocol, address)| ServerKey::Address { protocol, address });
    let by_mark = (1_u32.., any::<bool>()).prop_map(|(mark, v6)| ServerKey::Mark { mark, v6 });
    prop_oneof![by_address, by_mark]
}

fn any_server() -> impl Strategy<Value = Server> {
    (any_key(), "[a-z]{1,15}", any::<u32>(), any::<Option<u32>>()).prop_map(
        |(key, scheduler, flags, persistence)| Server {
            key,
            scheduler,
            flags: flags & !3,
            persistence,
        },
    )
}

/// The nested attributes of a kind.
fn nested(bytes: &[u8], kind: u16) -> &[u8] {
    AttributeSet::<3>::parse(bytes).unwrap().get(kind).unwrap()
}

proptest! {
    #[test]
    fn any_server_is_read_as_it_was_written(server in any_server()) {
        let bytes = encoded(&Operation::AddServer(server.clone()));
        prop_assert_eq!(Server::decode(nested(&bytes, top::SERVICE)), Some(server));
    }

    #[test]
    fn any_destination_is_read_as_it_was_written(
        key in any_key(), address in any_address(), weight: u32,
    ) {
        let destination = Destination { address, weight };
        let bytes = encoded(&Operation::AddDestination(key, destination));
        let state = DestinationState::decode(nested(&bytes, top::DESTINATION)).unwrap();
        prop_assert_eq!(state.destination, destination);
        prop_assert!(state.plain);
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Server::decode(&bytes);
        let _ = DestinationState::decode(&bytes);
    }

    #[test]
    fn a_server_with_any_bytes_changed_is_read_without_harm(
        server in any_server(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = nested(&encoded(&Operation::AddServer(server)), top::SERVICE).to_vec();
        for (index, byte) in changes {
            let place = index.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = Server::decode(&bytes);
    }
}

#[test]
fn a_destination_that_is_not_reached_by_translation_is_not_plain() {
    for (kind, number) in [(destination::FORWARDING, 3_u32), (destination::UPPER_THRESHOLD, 10)] {
        let mut encoder = Encoder::default();
        Destination { address: address("10.0.0.1:80"), weight: 1 }.encode(&mut encoder);
        encoder.attribute(kind, &number.to_ne_bytes());
        assert!(!DestinationState::decode(encoder.bytes()).unwrap().plain, "{kind}");
    }
}

#[test]
fn whom_the_kernel_refuses_is_told_whose_permission_it_takes() {
    let acknowledgement = Acknowledgement { error: 1, ..Acknowledgement::default() };
    let error = refusal(acknowledgement, "list virtual servers".to_owned()).unwrap_err();
    assert!(error.to_string().contains("in the initial user namespace"), "{error}");
}

#[test]
fn flags_that_the_kernel_sets_itself_are_left_out() {
    let mut encoder = Encoder::default();
    let server = Server { key: web(), scheduler: "sh".to_owned(), flags: 8, persistence: None };
    server.encode(&mut encoder);
    encoder.attribute(service::FLAGS, &[10, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(Server::decode(encoder.bytes()), Some(server));
}
