//! Another `--ipvs-mark-bit`, which takes a restart.

use std::collections::BTreeSet;
use std::time::Duration;

use portolan_ipvs::Mode;
use portolan_lab::{NewConnections, namespaced_as_superuser};
use portolan_netlink::route::{Operation, PolicyRule, Routing};

use crate::guarded_marks::guarded_marks;
use crate::node::{Clients, Node};

const LONG: Duration = Duration::from_secs(600);

/// The marks that policy rules of ours ask for.
fn marks(node: &Node) -> BTreeSet<u32> {
    let rules = node.run(|| Routing::open().unwrap().rules().unwrap());
    rules.into_iter().map(|rule| rule.mark).collect()
}

#[test]
fn connections_outlive_another_mark_bit() {
    namespaced_as_superuser("marks::connections_outlive_another_mark_bit", || {
        for v6 in [false, true] {
            let mut node = Node::start(v6, Mode::Ipvs, LONG);
            let mut everybody = vec![Clients::connect(&node, 10, 5)];
            for bit in [12, 13, 30] {
                let when = format!("with bit {bit}");
                let new_connections = NewConnections::start(&node.topology, &node.frontends());
                node.set_mark_bit(bit, Mode::Ipvs);
                let (count, failures) = new_connections.stop();
                assert_eq!(failures, Vec::<String>::new(), "of {count} new connections {when}");
                everybody.iter_mut().for_each(|clients| clients.talk(&when));
                assert_eq!(marks(&node), BTreeSet::from([1 << bit]));
                assert_eq!(node.run(guarded_marks), BTreeSet::from([1 << bit]));
                assert_eq!(node.restart(Mode::Ipvs), 0, "{when}");
                everybody.iter_mut().for_each(|clients| clients.talk(&when));
                assert!(node.is_new_connection_with_ipvs(), "{when}");
                everybody.push(Clients::connect(&node, 10, 5));
            }
        }
    });
}

#[test]
fn what_drains_outlives_another_mark_bit() {
    namespaced_as_superuser("marks::what_drains_outlives_another_mark_bit", || {
        for v6 in [false, true] {
            let mut node = Node::start(v6, Mode::Ipvs, LONG);
            let mut clients = Clients::connect(&node, 10, 5);
            for bit in [12, 13, 30] {
                node.set_mark_bit(bit, Mode::Nftables);
                clients.talk(&format!("with bit {bit}"));
                assert_eq!(marks(&node), BTreeSet::from([1 << bit]));
                assert!(!node.is_new_connection_with_ipvs());
            }
            node.switch(Mode::Ipvs).unwrap();
            clients.talk("when it is IPVS that serves again");
        }
    });
}

#[test]
fn whoever_follows_a_process_that_was_killed_before_it_forgot_the_other_bit_forgets_it() {
    let name = "marks::\
                whoever_follows_a_process_that_was_killed_before_it_forgot_the_other_bit_forgets_it";
    namespaced_as_superuser(name, || {
        let mut node = Node::start(false, Mode::Ipvs, LONG);
        let mut clients = Clients::connect(&node, 10, 5);
        for (bit, other) in [(12, 13), (13, 12)] {
            node.set_mark_bit(bit, Mode::Ipvs);
            node.run(|| {
                let mut routing = Routing::open().unwrap();
                let mark = 1 << other;
                let former = |rule| PolicyRule { mark, mask: mark, ..rule };
                let rules = routing.rules().unwrap().into_iter().map(former);
                let again: Vec<_> = rules.map(Operation::AddRule).collect();
                assert_eq!(routing.execute(&again).unwrap(), []);
            });
            assert_eq!(marks(&node), BTreeSet::from([1 << bit, 1 << other]));
            assert!(node.restart(Mode::Ipvs) > 0);
            assert_eq!(marks(&node), BTreeSet::from([1 << bit]));
            clients.talk(&format!("with bit {bit}"));
            assert_eq!(node.restart(Mode::Ipvs), 0);
        }
    });
}
