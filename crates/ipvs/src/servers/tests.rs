//! What is done to virtual servers, and in which half.

mod draining;
mod schedulers;

use std::sync::Arc;

use portolan_netlink::ipvs::Destination;

use super::*;
use crate::schedulers::Scheduler;

const TCP: u8 = 6;
const UDP: u8 = 17;

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn key(protocol: u8) -> ServerKey {
    ServerKey::Address { protocol, address: address("10.96.0.1:80") }
}

fn server(protocol: u8) -> Server {
    Server { key: key(protocol), scheduler: "rr".to_owned(), flags: 0, persistence: None }
}

fn pods(numbers: &[u8]) -> Arc<[SocketAddr]> {
    numbers.iter().map(|number| address(&format!("10.0.0.{number}:8080"))).collect()
}

fn pod(number: u8) -> SocketAddr {
    address(&format!("10.0.0.{number}:8080"))
}

fn wanted(protocol: u8, destinations: &[u8]) -> Wanted {
    Wanted {
        server: server(protocol),
        destinations: pods(destinations),
        may_stay: pods(&[]),
        ends_elsewhere: protocol == UDP,
        comment: "default/web".into(),
        is_node_port: false,
    }
}

fn service() -> ObjectName {
    ObjectName::new("default", "web")
}

fn state(number: u8, weight: u32, active: u32) -> DestinationState {
    let destination = Destination { address: pod(number), weight };
    DestinationState { destination, plain: true, active, inactive: 0, persistent: 0 }
}

/// Makes one service want this, and returns what has to be done.
fn want(servers: &mut Servers, new: Option<Wanted>, protocol: u8) -> Steps {
    want_with(servers, &Schedulers::new(Scheduler::of_node("rr")), new, protocol)
}

fn want_with(
    servers: &mut Servers,
    schedulers: &Schedulers,
    new: Option<Wanted>,
    protocol: u8,
) -> Steps {
    servers.withdraw(&service(), &wanted(protocol, &[]));
    if let Some(new) = new {
        servers.claim(&service(), new);
    }
    let mut steps = Steps::default();
    servers.settle(key(protocol), schedulers, Instant::now(), &mut steps);
    steps
}

fn texts(operations: &[Operation]) -> Vec<String> {
    operations.iter().map(ToString::to_string).collect()
}

fn add(number: u8) -> Operation {
    Operation::AddDestination(key(TCP), Destination { address: pod(number), weight: 1 })
}

fn weigh(protocol: u8, number: u8, weight: u32) -> Operation {
    Operation::ChangeDestination(key(protocol), Destination { address: pod(number), weight })
}

#[test]
fn a_new_server_is_registered_then_added_then_filled() {
    let mut servers = Servers::default();
    let steps = want(&mut servers, Some(wanted(TCP, &[1, 2])), TCP);
    assert_eq!(
        steps,
        Steps {
            register: vec![(key(TCP), "default/web".to_owned())],
            servers: vec![Operation::AddServer(server(TCP))],
            destinations: vec![add(1), add(2)],
            afterwards: vec![],
        }
    );
    let again = want(&mut servers, Some(wanted(TCP, &[1, 2])), TCP);
    assert_eq!(again, Steps::default());
}

#[test]
fn an_endpoint_that_goes_gets_no_new_connections_once_the_new_one_does() {
    let mut servers = Servers::default();
    want(&mut servers, Some(wanted(TCP, &[1, 2])), TCP);
    let steps = want(&mut servers, Some(wanted(TCP, &[2, 3])), TCP);
    assert_eq!(steps.destinations, [add(3)]);
    assert_eq!(steps.afterwards, [weigh(TCP, 1, 0)]);
    let back = want(&mut servers, Some(wanted(TCP, &[1, 2])), TCP);
    assert_eq!(back.destinations, [weigh(TCP, 1, 1)]);
    assert_eq!(back.afterwards, [weigh(TCP, 3, 0)]);
}

#[test]
fn a_flow_of_udp_stays_only_with_an_endpoint_that_still_serves() {
    for (may_stay, expected) in
        [(&[1][..], weigh(UDP, 1, 0)), (&[], Operation::DeleteDestination(key(UDP), pod(1)))]
    {
        let mut servers = Servers::default();
        want(&mut servers, Some(wanted(UDP, &[1, 2])), UDP);
        let new = Wanted { may_stay: pods(may_stay), ..wanted(UDP, &[2]) };
        assert_eq!(want(&mut servers, Some(new), UDP).afterwards, [expected], "{may_stay:?}");
    }
}

#[test]
fn connections_of_tcp_end_where_the_service_asks_for_it_unless_the_endpoint_still_serves() {
    for (may_stay, ends_elsewhere, expected) in [
        (&[1][..], true, weigh(TCP, 1, 0)),
        (&[], true, Operation::DeleteDestination(key(TCP), pod(1))),
        (&[], false, weigh(TCP, 1, 0)),
    ] {
        let mut servers = Servers::default();
        let want_ending = |servers: &mut Servers, destinations: &[u8]| {
            let may_stay = pods(may_stay);
            let new = Wanted { may_stay, ends_elsewhere, ..wanted(TCP, destinations) };
            want(servers, Some(new), TCP)
        };
        want_ending(&mut servers, &[1, 2]);
        let what = format!("{may_stay:?} {ends_elsewhere}");
        assert_eq!(want_ending(&mut servers, &[2]).afterwards, [expected], "{what}");
        // A Service that is deleted takes its wishes with it.
        let deleted = want(&mut servers, None, TCP).afterwards;
        assert_eq!(deleted, [weigh(TCP, 2, 0)], "{what}");
    }
}

#[test]
fn where_no_endpoint_is_left_there_is_a_server_only_for_connections_that_may_stay() {
    for (protocol, may_stay, ends_elsewhere, stays) in [
        (TCP, &[][..], false, true),
        (TCP, &[1][..], true, true),
        (TCP, &[], true, false),
        (UDP, &[1], true, true),
        (UDP, &[], true, false),
    ] {
        let mut servers = Servers::default();
        want(&mut servers, Some(wanted(protocol, &[1])), protocol);
        let may_stay = pods(may_stay);
        let nowhere = Wanted { may_stay, ends_elsewhere, ..wanted(protocol, &[]) };
        let steps = want(&mut servers, Some(nowhere.clone()), protocol);
        let key = key(protocol);
        let what = format!("{nowhere:?}");
        let expected = match stays {
            true => vec![weigh(protocol, 1, 0)],
            false => vec![Operation::DeleteDestination(key, pod(1)), Operation::DeleteServer(key)],
        };
        assert_eq!(steps.afterwards, expected, "{what}");
        assert_eq!(servers.wanted_keys().count(), 0, "{what}");
        if stays {
            assert!(servers.release(key, &[], None, &mut Vec::new()), "{what}");
        }
        assert!(servers.is_empty(), "{what}");
        assert_eq!(want(&mut servers, Some(nowhere), protocol), Steps::default(), "{what}");
    }
}

#[test]
fn a_server_that_nobody_wants_and_that_waits_for_nobody_goes_at_once() {
    let mut servers = Servers::default();
    want(&mut servers, Some(wanted(UDP, &[1])), UDP);
    let deleted = Operation::DeleteDestination(key(UDP), pod(1));
    let expected = [deleted, Operation::DeleteServer(key(UDP))];
    assert_eq!(want(&mut servers, None, UDP).afterwards, expected);
    assert!(servers.is_empty());
    let again = want(&mut servers, Some(wanted(UDP, &[1])), UDP);
    assert_eq!((again.register.len(), again.servers.len()), (1, 1));
}

#[test]
fn schedulers_and_persistence_change_in_place() {
    let mut servers = Servers::default();
    want(&mut servers, Some(wanted(TCP, &[1])), TCP);
    let changed = Server { scheduler: "mh".to_owned(), persistence: Some(60), ..server(TCP) };
    let new = Wanted { server: changed.clone(), ..wanted(TCP, &[1]) };
    let steps = want(&mut servers, Some(new), TCP);
    assert_eq!(steps.servers, [Operation::ChangeServer(changed)]);
    assert_eq!(steps.destinations, []);
}

#[test]
fn a_start_adopts_what_is_there_and_puts_right_what_others_changed() {
    let states =
        vec![state(1, 1, 5), state(2, 7, 0), state(3, 1, 2), state(4, 7, 3), state(5, 0, 1)];
    let mut servers =
        Servers::observed(vec![(server(TCP), states)], BTreeSet::new(), Instant::now());
    let steps = want(&mut servers, Some(wanted(TCP, &[1, 2])), TCP);
    assert_eq!(steps.destinations, [weigh(TCP, 2, 1)]);
    assert_eq!(steps.afterwards, [weigh(TCP, 3, 0), weigh(TCP, 4, 0)]);
    assert_eq!((steps.register.len(), steps.servers.len()), (0, 0));
}

#[test]
fn servers_of_others_are_left_alone() {
    let mut servers = Servers::observed(vec![], BTreeSet::from([key(TCP)]), Instant::now());
    assert_eq!(want(&mut servers, Some(wanted(TCP, &[1])), TCP), Steps::default());
    assert_eq!(want(&mut servers, None, TCP), Steps::default());
    assert_eq!(servers.wanted_keys().count(), 0);
}

#[test]
fn an_address_of_its_own_comes_before_a_node_port_on_the_same_address() {
    let mut servers = Servers::default();
    let node_port = Wanted { is_node_port: true, ..wanted(TCP, &[1]) };
    servers.claim(&ObjectName::new("a", "node-port"), node_port);
    let steps = want(&mut servers, Some(wanted(TCP, &[2])), TCP);
    assert_eq!(steps.destinations, [add(2)]);
    let steps = want(&mut servers, Some(wanted(TCP, &[])), TCP);
    assert_eq!(steps.destinations, [], "the table leads nobody to the NodePort");
    let steps = want(&mut servers, None, TCP);
    assert_eq!(steps.destinations, [add(1)]);
}

#[test]
fn a_destination_that_was_refused_is_not_taken_for_one_that_serves() {
    let mut servers = Servers::default();
    want(&mut servers, Some(wanted(TCP, &[1, 2])), TCP);
    want(&mut servers, Some(wanted(TCP, &[1])), TCP);
    want(&mut servers, Some(wanted(TCP, &[1, 2])), TCP);
    servers.not_done(&weigh(TCP, 2, 1));
    let steps = want(&mut servers, Some(wanted(TCP, &[1, 2])), TCP);
    assert_eq!(steps.destinations, [add(2)]);
}
