//! What others and the kernel do to a backend in either mode.

use std::collections::BTreeSet;
use std::time::Duration;

use portolan_core::Backend as _;
use portolan_ipvs::{IpvsOptions, Mode};
use portolan_lab::namespaced_as_superuser;
use portolan_netlink::ipvs::{self, Destination, Ipvs, ServerKey};
use portolan_netlink::nftables::{Batch, Connection, Family};
use portolan_netlink::route::{Operation, Routing};

use crate::node::{Clients, Node};
use crate::objects::{PODS, pod};

const LONG: Duration = Duration::from_secs(600);

/// `nft flush ruleset`
fn flush_ruleset() {
    let mut batch = Batch::new(None);
    let mut connection = Connection::open().unwrap();
    for family in [Family::Ip, Family::Ip6] {
        for table in connection.tables(family).unwrap() {
            batch.delete_table(family, &table.name);
        }
    }
    connection.commit(&mut batch).unwrap();
}

#[test]
fn after_the_ruleset_was_flushed_virtual_servers_are_still_ours() {
    let name = "trouble::after_the_ruleset_was_flushed_virtual_servers_are_still_ours";
    namespaced_as_superuser(name, || {
        let mut node = Node::start(false, Mode::Ipvs, LONG);
        node.run(flush_ruleset);
        node.converge();
        node.serve(&[1, 2]);
        assert_eq!(node.answers(), BTreeSet::from([pod(false, 1), pod(false, 2)]));
        node.serve(&[3]);
        assert_eq!(node.answers(), BTreeSet::from([pod(false, 3)]));
        assert_eq!(node.restart(Mode::Ipvs), 0, "the next process knows them as its own");
    });
}

#[test]
fn destinations_that_others_changed_are_put_right() {
    let name = "trouble::destinations_that_others_changed_are_put_right";
    namespaced_as_superuser(name, || {
        let mut node = Node::start(false, Mode::Ipvs, LONG);
        let edits: [fn(ServerKey, Destination) -> ipvs::Operation; 2] = [
            |key, it| ipvs::Operation::ChangeDestination(key, Destination { weight: 0, ..it }),
            |key, it| ipvs::Operation::DeleteDestination(key, it.address),
        ];
        for edit in edits {
            assert!(!node.is_disturbed_later());
            node.run(|| {
                let mut ipvs = Ipvs::open().unwrap();
                let key = ipvs.servers().unwrap()[0].key;
                let first = ipvs.destinations(&key).unwrap()[0].destination;
                assert_eq!(ipvs.execute(&[edit(key, first)]).unwrap(), []);
            });
            assert!(node.is_disturbed_later());
            node.converge();
            for server in node.run(|| Ipvs::open().unwrap().servers().unwrap()) {
                let key = server.key;
                let states = node.run(|| Ipvs::open().unwrap().destinations(&key).unwrap());
                let weights: Vec<u32> = states.iter().map(|it| it.destination.weight).collect();
                assert_eq!(weights, [1; PODS as usize], "{key}");
            }
        }
    });
}

#[test]
fn settings_of_the_kernel_that_others_changed_are_put_right() {
    let name = "trouble::settings_of_the_kernel_that_others_changed_are_put_right";
    namespaced_as_superuser(name, || {
        let mut node = Node::start(false, Mode::Ipvs, LONG);
        for name in ["conntrack", "expire_nodest_conn", "expire_quiescent_template"] {
            let sysctl = format!("net.ipv4.vs.{name}");
            node.topology.node().set_sysctl(&sysctl, "0").unwrap();
            assert!(node.is_disturbed_later(), "{name}");
            node.converge();
            assert!(!node.is_disturbed_later(), "{name}");
        }
    });
}

#[test]
fn what_drains_after_a_restart_keeps_its_routes_until_its_last_port_is_gone() {
    let name = "trouble::what_drains_after_a_restart_keeps_its_routes_until_its_last_port_is_gone";
    namespaced_as_superuser(name, || {
        let mut node = Node::start(false, Mode::Ipvs, LONG);
        // TCP on every address, and nobody on UDP, whose servers go first.
        let mut clients = Clients::connect(&node, 10, 0);
        node.restart(Mode::Nftables);
        for _ in 0..3 {
            node.look();
            clients.talk("while IPVS drains");
        }
    });
}

#[test]
fn what_drains_gets_its_routing_rules_and_routes_back() {
    let name = "trouble::what_drains_gets_its_routing_rules_and_routes_back";
    namespaced_as_superuser(name, || {
        let mut node = Node::start(false, Mode::Ipvs, LONG);
        let mut clients = Clients::connect(&node, 10, 5);
        node.switch(Mode::Nftables).unwrap();
        node.run(|| {
            let mut routing = Routing::open().unwrap();
            let rules = routing.rules().unwrap();
            let table = rules.first().unwrap().table;
            let routes = routing.routes(table).unwrap();
            let gone = rules.into_iter().map(Operation::DeleteRule);
            let gone = gone.chain(routes.into_iter().map(Operation::DeleteRoute));
            assert_eq!(routing.execute(&gone.collect::<Vec<_>>()).unwrap(), []);
        });
        node.converge();
        clients.talk("after others deleted what leads to IPVS");
    });
}

#[test]
fn what_an_earlier_process_left_goes_on_although_it_cannot_be_looked_at_yet() {
    let name = "trouble::what_an_earlier_process_left_goes_on_although_it_cannot_be_looked_at_yet";
    namespaced_as_superuser(name, || {
        for v6 in [false, true] {
            let mut node = Node::start(v6, Mode::Ipvs, LONG);
            let mut clients = Clients::connect(&node, 10, 5);
            node.restart_short_of_files(Mode::Nftables);
            clients.talk("while nobody can look at IPVS");
            let [problem] = <[String; 1]>::try_from(node.backend.problems()).unwrap();
            assert!(problem.contains("tried again every minute"), "{problem}");
            node.serve(&[1, 2]);
            node.look();
            assert_eq!(node.backend.draining(), None, "it was tried a moment ago");

            assert!(!node.is_disturbed_later());
            assert!(node.backend.draining().is_some_and(|it| it.connections >= 10));
            assert_eq!(node.backend.problems(), Vec::<String>::new());
            clients.talk("when IPVS can be looked at again");
            assert!(!node.is_new_connection_with_ipvs());
        }
    });
}

#[test]
fn where_the_register_is_gone_nothing_is_waited_for() {
    let name = "trouble::where_the_register_is_gone_nothing_is_waited_for";
    namespaced_as_superuser(name, || {
        let mut node = Node::start(false, Mode::Ipvs, LONG);
        node.restart_short_of_files(Mode::Nftables);
        node.run(|| portolan_ipvs::cleanup(&IpvsOptions::default()).unwrap());
        node.is_disturbed_later();
        assert_eq!(node.backend.problems(), Vec::<String>::new());
        let chains =
            node.run(|| Connection::open().unwrap().chains(Family::Ip, "portolan").unwrap());
        assert!(chains.iter().all(|it| !it.name.starts_with("ipvs-")), "{chains:?}");
        assert_eq!(node.answers().len(), 4);
    });
}

#[test]
fn a_backend_that_packets_would_not_reach_is_not_changed_to() {
    let name = "trouble::a_backend_that_packets_would_not_reach_is_not_changed_to";
    namespaced_as_superuser(name, || {
        let mut node = Node::start(true, Mode::Nftables, LONG);
        let sysctl = "net.ipv6.conf.lo.disable_ipv6";
        node.topology.node().set_sysctl(sysctl, "1").unwrap();
        let refused = node.switch(Mode::Ipvs).unwrap_err().to_string();
        assert!(refused.contains("packets would not reach IPVS"), "{refused}");
        node.converge();
        assert!(!node.is_new_connection_with_ipvs());
        node.topology.node().set_sysctl(sysctl, "0").unwrap();
        node.switch(Mode::Ipvs).unwrap();
        assert!(node.is_new_connection_with_ipvs());
    });
}
