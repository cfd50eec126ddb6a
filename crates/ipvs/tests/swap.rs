//! New connections change their way to endpoints under load, back and forth, and no
//! connection notices: not those that live all the while, and none of those that begin.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "swap/early.rs"]
mod early;
#[path = "common/guarded_marks.rs"]
mod guarded_marks;
#[path = "swap/marks.rs"]
mod marks;
#[path = "swap/node.rs"]
mod node;
#[path = "swap/objects.rs"]
mod objects;
#[path = "swap/ports.rs"]
mod ports;
#[path = "swap/register.rs"]
mod register;
#[path = "swap/schedulers.rs"]
mod schedulers;
#[path = "../../nft/tests/common/tracking.rs"]
mod tracking;
#[path = "swap/trouble.rs"]
mod trouble;
#[path = "swap/turned_away.rs"]
mod turned_away;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use portolan_core::Backend as _;
use portolan_ipvs::Mode;
use portolan_lab::{NewConnections, namespaced_as_superuser};
use portolan_netlink::ipvs::{Ipvs, Operation, Server, ServerKey};
use portolan_netlink::nftables::{Batch, Connection, Family, Table};

use self::node::{Clients, Node};

const SWAPS: usize = 10;

fn foreign_server() -> Server {
    let address = "192.0.2.1:80".parse().unwrap();
    let key = ServerKey::Address { protocol: 6, address };
    Server { key, scheduler: "wlc".to_owned(), flags: 0, persistence: None }
}

/// What another program has in the kernel, which must survive everything.
fn make_foreign() {
    let failures = Ipvs::open().unwrap().execute(&[Operation::AddServer(foreign_server())]);
    assert_eq!(failures.unwrap(), []);
    let mut batch = Batch::new(None);
    let table = Table { name: "theirs".to_owned(), ..Table::default() };
    batch.add_table(Family::Ip, &table);
    Connection::open().unwrap().commit(&mut batch).unwrap();
}

fn tables() -> BTreeSet<String> {
    let tables = Connection::open().unwrap().tables(Family::Ip).unwrap();
    tables.into_iter().map(|table| table.name).collect()
}

#[test]
fn ten_changes_of_the_backend_under_load_break_nothing() {
    namespaced_as_superuser("ten_changes_of_the_backend_under_load_break_nothing", || {
        for v6 in [false, true] {
            let mut node = Node::start(v6, Mode::Nftables, Duration::from_secs(600));
            node.run(make_foreign);
            let mut clients = Clients::connect(&node, 50, 20);
            let topology = node.topology.clone();
            let new_connections = NewConnections::start(&topology, &node.frontends());
            for swap in 0..SWAPS {
                let to = if swap % 2 == 0 { Mode::Ipvs } else { Mode::Nftables };
                clients.talk(&format!("before change {swap}"));
                node.switch(to).unwrap();
                clients.talk(&format!("after change {swap}"));
                assert_eq!(node.is_new_connection_with_ipvs(), to == Mode::Ipvs, "{swap}");
                node.look();
            }
            let (count, failures) = new_connections.stop();
            assert_eq!(failures, Vec::<String>::new(), "of {count} new connections");
            assert!(count > 100, "only {count} new connections");
            node.run(|| {
                assert!(Ipvs::open().unwrap().servers().unwrap().contains(&foreign_server()));
                assert!(tables().contains("theirs"));
            });
        }
    });
}

#[test]
fn what_was_left_is_removed_when_its_last_connection_has_ended() {
    namespaced_as_superuser("what_was_left_is_removed_when_its_last_connection_has_ended", || {
        let mut node = Node::start(false, Mode::Ipvs, Duration::from_secs(2));
        node.run(make_foreign);
        let mut clients = Clients::connect(&node, 3, 0);
        node.switch(Mode::Nftables).unwrap();
        node.look();
        clients.talk("while IPVS drains");
        assert!(node.run(|| Ipvs::open().unwrap().servers().unwrap().len()) > 1);
        // Connections that do not end have until the deadline.
        let end = Instant::now() + Duration::from_secs(30);
        while node.run(tables).contains("portolan-ipvs") {
            assert!(Instant::now() < end, "something is left");
            std::thread::sleep(Duration::from_millis(200));
            node.look();
        }
        node.run(|| {
            assert_eq!(Ipvs::open().unwrap().servers().unwrap(), [foreign_server()]);
            assert_eq!(tables(), BTreeSet::from(["portolan".to_owned(), "theirs".to_owned()]));
        });
    });
}

#[test]
fn an_agent_that_is_killed_in_the_middle_is_followed_by_one_that_goes_on() {
    let name = "an_agent_that_is_killed_in_the_middle_is_followed_by_one_that_goes_on";
    namespaced_as_superuser(name, || {
        for (first, second) in [(Mode::Nftables, Mode::Ipvs), (Mode::Ipvs, Mode::Nftables)] {
            let mut node = Node::start(false, first, Duration::from_secs(600));
            let mut clients = Clients::connect(&node, 20, 5);
            for (from, to) in [(first, second), (second, first), (first, second)] {
                node.switch(to).unwrap();
                // The next one starts from what is in the kernel, as it is told to.
                for mode in [from, to] {
                    node.restart(mode);
                    clients.talk(&format!("{first:?}, {to:?}, restarted as {mode:?}"));
                    assert_eq!(node.is_new_connection_with_ipvs(), mode == Mode::Ipvs);
                }
            }
            assert_eq!(node.backend.name(), second.name());
            assert_eq!(node.restart(second), 0, "a restart that changes nothing sends nothing");
        }
    });
}
