//! Ports of the node's own addresses that a Service has left.

use std::time::{Duration, Instant};

use portolan_core::{ObjectName, Update};
use portolan_ipvs::Mode;
use portolan_lab::{Outcome, Probe, Protocol, Refusal, namespaced_as_superuser};

use crate::node::{Clients, Node};

#[test]
fn the_port_of_a_service_that_is_deleted_is_free_when_its_connections_have_ended() {
    let name =
        "ports::the_port_of_a_service_that_is_deleted_is_free_when_its_connections_have_ended";
    namespaced_as_superuser(name, || {
        for v6 in [false, true] {
            let mut node = Node::start(v6, Mode::Ipvs, Duration::from_secs(2));
            let mut clients = Clients::connect(&node, 5, 0);
            node.update(Update::ServiceDeleted(ObjectName::new("default", "echo")));
            clients.talk("after the Service was deleted");
            let (outside, node_port) = node.frontends().pop().unwrap();
            let probe = Probe::new(outside, Protocol::Tcp, node_port);
            let ask = |node: &Node| node.topology.probe(&probe.within(Duration::from_secs(10)));
            assert_eq!(ask(&node), Outcome::Refused(Refusal::Icmp), "by the virtual server");
            // They have until the deadline.
            let end = Instant::now() + Duration::from_secs(30);
            while ask(&node) != Outcome::Refused(Refusal::Reset) {
                assert!(Instant::now() < end, "nobody has the port, and it is not free");
                std::thread::sleep(Duration::from_millis(200));
                node.look();
            }
        }
    });
}
