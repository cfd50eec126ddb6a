//! What waits for its last connection.

use std::time::Duration;

use super::*;

#[test]
fn what_drains_is_deleted_when_nobody_uses_it_or_when_it_took_too_long() {
    let mut servers = Servers::default();
    want(&mut servers, Some(wanted(TCP, &[1, 2])), TCP);
    assert_eq!(want(&mut servers, None, TCP).afterwards.len(), 2);
    assert_eq!(servers.draining().collect::<Vec<_>>(), [key(TCP)]);

    let mut release = |states: &[DestinationState], deadline| {
        let mut operations = Vec::new();
        let gone = servers.release(key(TCP), states, deadline, &mut operations);
        (gone, texts(&operations))
    };
    let long_ago = Instant::now().checked_sub(Duration::from_secs(60));
    assert_eq!(release(&[state(1, 0, 1), state(2, 0, 1)], long_ago), (false, vec![]));
    let first = "delete destination 10.0.0.1:8080 from virtual server TCP 10.96.0.1:80".to_owned();
    assert_eq!(release(&[state(1, 0, 0), state(2, 0, 1)], long_ago), (false, vec![first]));
    let (gone, operations) = release(&[state(2, 0, 1)], Some(Instant::now()));
    assert!(gone);
    assert_eq!(operations.last().unwrap(), "delete virtual server TCP 10.96.0.1:80");
    assert!(servers.is_empty());
}

#[test]
fn a_draining_server_that_is_wanted_again_serves_again() {
    let mut servers = Servers::default();
    want(&mut servers, Some(wanted(TCP, &[1])), TCP);
    want(&mut servers, None, TCP);
    let steps = want(&mut servers, Some(wanted(TCP, &[1])), TCP);
    assert_eq!(steps.destinations, [weigh(TCP, 1, 1)]);
    assert_eq!((steps.register.len(), steps.servers.len()), (0, 0));
    assert_eq!(servers.draining().count(), 0);
}

#[test]
fn when_all_drains_flows_of_udp_stay_too() {
    let mut servers = Servers::default();
    want(&mut servers, Some(wanted(UDP, &[1])), UDP);
    let mut operations = Vec::new();
    servers.drain_all(Instant::now(), &mut operations);
    assert_eq!(operations, [weigh(UDP, 1, 0)]);
    assert_eq!(servers.draining().collect::<Vec<_>>(), [key(UDP)]);
}

#[test]
fn what_has_waited_goes_on_waiting_when_the_kernel_is_looked_at_again() {
    let there = || vec![(server(TCP), vec![state(1, 0, 1), state(2, 1, 1)])];
    let early = Instant::now();
    let before = Servers::observed(there(), BTreeSet::new(), early);
    let later = early + Duration::from_secs(600);
    let mut servers = Servers::observed(there(), BTreeSet::new(), later);
    servers.keep_waiting_since(&before);
    want(&mut servers, None, TCP);
    let mut operations = Vec::new();
    servers.release(key(TCP), &[state(1, 0, 1), state(2, 0, 1)], Some(early), &mut operations);
    let gone = Operation::DeleteDestination(key(TCP), pod(1));
    assert_eq!(operations, [gone], "the second has only begun to wait");
}
