//! What others have in a real kernel beside what is ours.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use nix::sys::socket::{setsockopt, sockopt};
use portolan_lab::namespaced;

use super::tests::{encoded, operations, route};
use super::uapi::message;
use super::{LocalRoute, Operation, PROTOCOL, Routing};
use crate::wire::acknowledgement::Acknowledgement;
use crate::wire::encoder::Encoder;
use crate::wire::message::{HEADER as NETLINK_HEADER, Messages};

/// Where the protocol number of a route is.
const ROUTE_PROTOCOL: usize = NETLINK_HEADER + 5;

/// Does in the kernel what another program does, whose protocol number is another one.
fn as_another(routing: &mut Routing, operation: &Operation) {
    let mut bytes = encoded(operation);
    match operation {
        Operation::AddRoute(route) if route.is_v6() => {
            bytes[ROUTE_PROTOCOL] = 4;
            // The metric is left to the kernel.
            let place = bytes.len() - 4;
            bytes[place] = 0;
        }
        Operation::AddRoute(_) | Operation::DeleteRoute(_) => bytes[ROUTE_PROTOCOL] = 4,
        Operation::AddRule(_) | Operation::DeleteRule(_) => {
            let place = bytes.len() - 4;
            assert_eq!(bytes[place], PROTOCOL);
            bytes[place] = 4;
        }
    }
    send(routing, &bytes, operation);
}

fn send(routing: &mut Routing, bytes: &[u8], operation: &Operation) {
    routing.socket.send(bytes).unwrap();
    let answer = Messages::new(routing.socket.receive().unwrap()).next().unwrap().unwrap();
    assert_eq!(answer.kind, message::ERROR);
    assert_eq!(Acknowledgement::decode(&answer).unwrap().error, 0, "{operation}");
}

#[test]
fn what_others_made_is_neither_listed_nor_deleted_nor_in_the_way() {
    let name =
        "route::foreign_tests::what_others_made_is_neither_listed_nor_deleted_nor_in_the_way";
    namespaced(name, || {
        let mut routing = Routing::open().unwrap();
        let operations = operations();
        let (add, delete) = operations.split_at(4);
        for operation in add {
            as_another(&mut routing, operation);
        }
        assert_eq!(routing.rules().unwrap(), []);
        assert_eq!(routing.routes(1000).unwrap(), []);
        assert_eq!(routing.execute(add).unwrap(), []);
        assert_eq!(routing.rules().unwrap().len(), 2);
        let ours = [route("10.96.0.0/16"), route("fd00:96::/112")];
        assert_eq!(routing.routes(1000).unwrap(), ours);
        assert_eq!(routing.execute(delete).unwrap(), []);
        assert_eq!(routing.rules().unwrap(), []);
        assert_eq!(routing.routes(1000).unwrap(), []);
        // They are all still there, so that the kernel does not answer with an error.
        for operation in delete {
            as_another(&mut routing, operation);
        }
    });
}

/// Adds a route of another program that throws away the packets to a network.
fn add_blackhole(routing: &mut Routing, network: &str) {
    let route = route(network);
    let mut header = route.header();
    // The protocol number, scope and type.
    header[5..8].copy_from_slice(&[4, 0, 6]);
    let mut encoder = Encoder::default();
    let start = encoder.begin_message_with(message::NEW_ROUTE, 0x605, 7, &header);
    match route.network.addr() {
        IpAddr::V4(address) => encoder.attribute(1, &address.octets()),
        IpAddr::V6(address) => encoder.attribute(1, &address.octets()),
    }
    encoder.ne32(super::uapi::route::TABLE, route.table);
    encoder.end_message(start);
    send(routing, encoder.bytes(), &Operation::AddRoute(route));
}

#[test]
fn a_route_of_ours_is_asked_before_one_of_others_that_throws_packets_away() {
    let name = "route::foreign_tests::a_route_of_ours_is_asked_before_one_of_others_that_throws_packets_away";
    namespaced(name, || {
        let mut routing = Routing::open().unwrap();
        assert_eq!(routing.execute(&operations()[..2]).unwrap(), []);
        for (network, address, any) in [
            ("10.96.0.0/16", "10.96.3.4", "0.0.0.0:0"),
            ("fd00:96::/112", "fd00:96::304", "[::]:0"),
        ] {
            let server = UdpSocket::bind(any).unwrap();
            let to = SocketAddr::new(address.parse().unwrap(), server.local_addr().unwrap().port());
            let client = UdpSocket::bind(any).unwrap();
            setsockopt(&client, sockopt::Mark, &0x4000).unwrap();
            add_blackhole(&mut routing, network);
            client.send_to(b"hello", to).unwrap_err();
            assert_eq!(routing.execute(&[Operation::AddRoute(route(network))]).unwrap(), []);
            client.send_to(b"hello", to).unwrap();
            assert_eq!(server.recv(&mut [0; 5]).unwrap(), 5);
        }
    });
}

/// A route of ours in each of two tables, and one of others.
fn three_routes() -> (Routing, LocalRoute) {
    let mut routing = Routing::open().unwrap();
    let (ours, other) = (route("10.96.0.0/16"), LocalRoute { table: 7, ..route("10.0.0.0/8") });
    routing.execute(&[Operation::AddRoute(ours), Operation::AddRoute(other)]).unwrap();
    as_another(&mut routing, &Operation::AddRoute(route("10.97.0.0/16")));
    (routing, ours)
}

#[test]
fn the_kernel_itself_picks_the_routes_of_a_table() {
    namespaced("route::foreign_tests::the_kernel_itself_picks_the_routes_of_a_table", || {
        let (mut routing, ours) = three_routes();
        let mut encoder = Encoder::default();
        let header = [2, 0, 0, 0, 0, PROTOCOL, 0, 2, 0, 0, 0, 0];
        let start = encoder.begin_message_with(message::GET_ROUTE, 0x301, 7, &header);
        encoder.ne32(super::uapi::route::TABLE, 1000);
        encoder.end_message(start);
        routing.socket.send(encoder.bytes()).unwrap();
        let answers: Vec<_> = Messages::new(routing.socket.receive().unwrap())
            .map(|answer| answer.unwrap())
            .filter(|answer| answer.kind != message::DONE)
            .map(|answer| LocalRoute::decode(answer.payload()))
            .collect();
        assert_eq!(answers, [Some(ours)]);
    });
}

#[test]
fn where_the_kernel_lists_everything_the_routes_of_the_table_are_picked_here() {
    let name = "route::foreign_tests::\
                where_the_kernel_lists_everything_the_routes_of_the_table_are_picked_here";
    namespaced(name, || {
        let (mut routing, ours) = three_routes();
        routing.socket.list_as_requested(false);
        assert_eq!(routing.routes(1000).unwrap(), [ours]);
        assert_eq!(routing.routes(8).unwrap(), []);
    });
}
