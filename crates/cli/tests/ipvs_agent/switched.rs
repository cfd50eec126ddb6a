//! `portolan switch`, under load and where it is refused.

use std::net::TcpStream;

use portolan_lab::{namespaced, namespaced_as_superuser};
use portolan_netlink::nftables::{Connection, Family};
use portolan_netlink::route::Routing;

use crate::foreign::Foreign;
use crate::kernel::Kernel;
use crate::node::{LONG, Node, other, served};

const SWITCHES: usize = 10;

#[test]
fn ten_switches_under_load_break_nothing_and_everybody_is_told() {
    let name = "switched::ten_switches_under_load_break_nothing_and_everybody_is_told";
    namespaced_as_superuser(name, || {
        let mut node = Node::serving("nftables", LONG);
        let foreign = Foreign::make(&node);
        let mut clients = node.clients(50, 20);
        let new_connections = node.new_connections();
        let mut backend = "nftables";
        for number in 0..SWITCHES {
            let before = backend;
            backend = other(before);
            clients.talk(&format!("before switch {number}"));
            let output = node.switch(backend);
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{output:?}\n{}", node.log());
            let expected =
                format!("new connections go through {backend} now, and no longer through {before}");
            assert!(told.starts_with(&expected), "{told}");
            clients.talk(&format!("after switch {number}"));
            node.new_connections_go_through(backend, &format!("switch {number}"));
            if number < 2 {
                tells_the_backend(&node, backend);
            }
        }
        served(new_connections, 100);
        let again = String::from_utf8(node.switch(backend).stdout).unwrap();
        assert_eq!(again, format!("new connections go through {backend} already\n"));
        foreign.is_untouched(&node);
        node.stop();
    });
}

/// Dump and metrics say which backend has new connections, and that IPVS still has some.
fn tells_the_backend(node: &Node, backend: &str) {
    let text = node.dump_text();
    assert!(text.starts_with(&format!("node here, {backend}, last sync ")), "{text}");
    let mode = node.metrics("/proxyMode");
    assert!(mode.ends_with(&format!("\r\n\r\n{backend}")), "{mode}");
    let drains = backend == "nftables";
    assert_eq!(text.contains("\nipvs still has "), drains, "{text}");
    assert_eq!(text.contains(" for up to "), drains, "{text}");
    let connections = node.sample("portolan_draining_connections{reason=\"backend\"}").unwrap();
    assert_eq!(connections > 0.0, drains, "{connections}");
}

#[test]
fn a_backend_that_cannot_be_made_is_not_switched_to_and_the_reason_is_told() {
    let name = "switched::a_backend_that_cannot_be_made_is_not_switched_to_and_the_reason_is_told";
    namespaced_as_superuser(name, || {
        let node = Node::serving("nftables", LONG);
        let foreign = Foreign::make(&node);
        let before = Kernel::ours(&node);
        let mut clients = node.clients(10, 10);
        let new_connections = node.new_connections();
        let sysctl = "net.ipv6.conf.lo.disable_ipv6";
        node.topology.node().set_sysctl(sysctl, "1").unwrap();
        is_refused(&node, "packets would not reach IPVS");
        clients.talk("after a switch that was refused");
        node.new_connections_go_through("nftables", "after a switch that was refused");
        node.topology.node().set_sysctl(sysctl, "0").unwrap();
        // What was begun is taken back.
        node.until("nothing of IPVS is left", |node| (Kernel::ours(node) == before).then_some(()));
        assert!(node.switch("ipvs").status.success(), "{}", node.log());
        clients.talk("after a switch that was not refused");
        served(new_connections, 10);
        foreign.is_untouched(&node);
    });
}

#[test]
fn ipvs_that_obeys_somebody_else_only_is_not_switched_to() {
    let name = "switched::ipvs_that_obeys_somebody_else_only_is_not_switched_to";
    // The superuser of these namespaces is none of the machine.
    namespaced(name, || {
        let node = Node::serving("nftables", LONG);
        is_refused(&node, "CAP_NET_ADMIN in the initial user namespace");
        node.until("a sync after that", |node| {
            node.dump().filter(|dump| dump.status.failures == 0 && dump.status.syncs > 1)
        });
        nothing_is_left_of_the_attempt(&node);
        let (client, address) = crate::cluster::uses().remove(0);
        node.topology.host_of(client).unwrap().run(|| TcpStream::connect(address).unwrap());
    });
}

/// IPVS itself cannot be asked here.
fn nothing_is_left_of_the_attempt(node: &Node) {
    node.run(|| {
        for family in [Family::Ip, Family::Ip6] {
            let mut connection = Connection::open().unwrap();
            let tables = connection.tables(family).unwrap();
            let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
            assert_eq!(names, ["portolan"]);
            let chains = connection.chains(family, "portolan").unwrap();
            assert!(!chains.iter().any(|chain| chain.name.starts_with("ipvs")), "{chains:?}");
        }
        assert_eq!(Routing::open().unwrap().rules().unwrap(), []);
    });
    assert!(!node.log().contains("is looked at again"), "{}", node.log());
}

fn is_refused(node: &Node, reason: &str) {
    let output = node.switch("ipvs");
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("the backend stays nftables: "), "{told}");
    assert!(told.contains(reason), "{told}");
    assert_eq!(node.dump().unwrap().status.backend, "nftables");
}
