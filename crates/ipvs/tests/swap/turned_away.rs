//! Nobody is turned away because of how a scheduler works.

use std::time::Duration;

use portolan_ipvs::Mode;
use portolan_lab::{NewConnections, Probe, Protocol, namespaced_as_superuser};

use crate::node::{Clients, Node};
use crate::objects::pod;
use crate::schedulers::{listed, wishes};

const LONG: Duration = Duration::from_secs(600);
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn nobody_is_turned_away_while_the_scheduler_changes() {
    let name = "turned_away::nobody_is_turned_away_while_the_scheduler_changes";
    namespaced_as_superuser(name, || {
        let mut node = Node::start(false, Mode::Ipvs, LONG);
        let topology = node.topology.clone();
        let new_connections = NewConnections::start(&topology, &node.frontends());
        for scheduler in ["wlc", "rr", "sed", "nq"].into_iter().cycle().take(40) {
            node.choose(Some(scheduler));
        }
        let (count, failures) = new_connections.stop();
        assert_eq!(failures, Vec::<String>::new(), "of {count} new connections");
    });
}

#[test]
fn nobody_is_turned_away_while_the_next_process_gives_every_server_another_scheduler() {
    let name = "turned_away::\
                nobody_is_turned_away_while_the_next_process_gives_every_server_another_scheduler";
    namespaced_as_superuser(name, || {
        let mut node = Node::start(false, Mode::Ipvs, LONG);
        let mut clients = Clients::connect(&node, 10, 5);
        let topology = node.topology.clone();
        let new_connections = NewConnections::start(&topology, &node.frontends());
        for scheduler in ["wlc", "rr", "sed", "nq"].into_iter().cycle().take(40) {
            node.set_scheduler(scheduler, Mode::Ipvs);
            assert_eq!(listed(&node), [(scheduler.to_owned(), 0)]);
        }
        let (count, failures) = new_connections.stop();
        assert_eq!(failures, Vec::<String>::new(), "of {count} new connections");
        clients.talk("at the end");
        assert!(node.is_new_connection_with_ipvs());
        assert_eq!(node.restart(Mode::Ipvs), 0);
    });
}

#[test]
fn nobody_is_turned_away_when_a_scheduler_comes_back_that_had_given_way() {
    let name = "turned_away::nobody_is_turned_away_when_a_scheduler_comes_back_that_had_given_way";
    namespaced_as_superuser(name, || {
        let mut node = Node::start(false, Mode::Ipvs, Duration::from_secs(1));
        node.choose(Some("dh"));
        let topology = node.topology.clone();
        let new_connections = NewConnections::start(&topology, &node.frontends());
        for _ in 0..10 {
            node.serve(&[1, 2, 3]);
            let given_way = ("rr".to_owned(), 0);
            assert!(listed(&node).contains(&given_way), "while an endpoint drains");
            std::thread::sleep(Duration::from_millis(1200));
            node.look();
            assert_eq!(listed(&node), [("dh".to_owned(), 0)]);
            node.serve(&[1, 2, 3, 4]);
        }
        let (count, failures) = new_connections.stop();
        assert_eq!(failures, Vec::<String>::new(), "of {count} new connections");
    });
}

#[test]
fn whatever_the_scheduler_all_are_served_while_an_endpoint_drains() {
    let name = "turned_away::whatever_the_scheduler_all_are_served_while_an_endpoint_drains";
    namespaced_as_superuser(name, || {
        for v6 in [false, true] {
            let mut node = Node::start(v6, Mode::Ipvs, LONG);
            let (client, address) = node.frontends()[0];
            let probe = Probe::new(client, Protocol::Tcp, address).within(PATIENCE);
            for (text, _) in wishes() {
                node.choose(Some(&text));
                node.serve(&[1, 2, 3, 4]);
                // The scheduler would pick the same endpoint for this client again.
                let mut connection = node.topology.open(&probe).unwrap();
                let drains = connection.endpoint().ip();
                let others: Vec<u8> = (1..=4).filter(|number| pod(v6, *number) != drains).collect();
                node.serve(&others);
                for outcome in node.topology.probe_repeatedly(&probe, 24) {
                    let endpoint = outcome.endpoint().map(|it| it.ip());
                    let is_other = endpoint.is_some_and(|it| it != drains);
                    assert!(is_other, "{text}: {outcome:?} while {drains} drains");
                }
                connection.exchange(PATIENCE).unwrap();
                drop(connection);
                node.look();
            }
        }
    });
}
