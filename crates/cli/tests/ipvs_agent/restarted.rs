//! An agent that is followed by one with another backend.

use portolan_lab::namespaced_as_superuser;

use crate::foreign::Foreign;
use crate::node::{LONG, Node, other, served};

#[test]
fn a_restart_with_another_backend_breaks_nothing() {
    namespaced_as_superuser("restarted::a_restart_with_another_backend_breaks_nothing", || {
        let mut node = Node::serving("ipvs", LONG);
        let foreign = Foreign::make(&node);
        let mut clients = node.clients(20, 10);
        let new_connections = node.new_connections();
        let mut backend = "ipvs";
        for restart in 0..2 {
            node.stop();
            clients.talk(&format!("without an agent, restart {restart}"));
            backend = other(backend);
            node.start(&[&["--backend", backend], LONG].concat());
            clients.talk(&format!("after restart {restart}"));
            node.new_connections_go_through(backend, &format!("restart {restart}"));
        }
        served(new_connections, 50);
        foreign.is_untouched(&node);
    });
}
