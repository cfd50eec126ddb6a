//! Nobody is turned away because of how a scheduler works.

use std::time::Duration;

use portolan_ipvs::Mode;
use portolan_lab::{NewConnections, Probe, Protocol, namespaced_as_superuser};

use crate::node::Node;
use crate::objects::pod;
use crate::schedulers::wishes;

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
