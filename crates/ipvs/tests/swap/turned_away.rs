//! Nobody is turned away because of how a scheduler works.

use std::time::Duration;

use portolan_ipvs::Mode;
use portolan_lab::{NewConnections, namespaced_as_superuser};

use crate::node::Node;

const LONG: Duration = Duration::from_secs(600);

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
