//! Packets for services that the table does not hand over.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use portolan_core::{ObjectName, Update};
use portolan_ipvs::Mode;
use portolan_lab::{Outcome, Probe, Protocol, Refusal, namespaced_as_superuser};
use portolan_netlink::ipvs::{Destination, Ipvs, Operation, Server, ServerKey};
use portolan_netlink::nftables::{Batch, Connection, ElementOperation, Family};

use crate::node::Node;
use crate::objects::{NODE_PORT, TCP_PORT, balancer, node_address, outside, pod};

const TCP: u8 = 6;
const LONG: Duration = Duration::from_secs(600);

const fn family(v6: bool) -> Family {
    if v6 { Family::Ip6 } else { Family::Ip }
}

/// A virtual server as it is while the backend makes it: registered, and there before the
/// table leads anybody to it.
fn make_by_hand(v6: bool, address: SocketAddr, destination: Option<SocketAddr>) {
    let mut key = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let [high, low] = address.port().to_be_bytes();
    key.extend([TCP, 0, 0, 0, high, low, 0, 0]);
    let mut batch = Batch::new(None);
    let (table, set) = ("portolan-ipvs", "virtual-servers");
    batch.elements(family(v6), table, set, ElementOperation::Add).push(&key, None, None);
    Connection::open().unwrap().commit(&mut batch).unwrap();
    let key = ServerKey::Address { protocol: TCP, address };
    let server = Server { key, scheduler: "rr".to_owned(), flags: 0, persistence: None };
    let add = |address| Operation::AddDestination(key, Destination { address, weight: 1 });
    let operations: Vec<Operation> =
        [Operation::AddServer(server)].into_iter().chain(destination.map(add)).collect();
    assert_eq!(Ipvs::open().unwrap().execute(&operations).unwrap(), []);
}

fn without_service(v6: bool) -> Node {
    let mut node = Node::start(v6, Mode::Ipvs, LONG);
    node.update(Update::ServiceDeleted(ObjectName::new("default", "echo")));
    node.look();
    assert_eq!(node.run(|| Ipvs::open().unwrap().servers().unwrap()), []);
    node
}

#[test]
fn ipvs_gets_nothing_of_a_server_that_the_table_does_not_lead_to_yet() {
    let name = "early::ipvs_gets_nothing_of_a_server_that_the_table_does_not_lead_to_yet";
    namespaced_as_superuser(name, || {
        for v6 in [false, true] {
            let endpoint = SocketAddr::new(pod(v6, 1), TCP_PORT);
            for destination in [None, Some(endpoint)] {
                let node = without_service(v6);
                let balancer = SocketAddr::new(balancer(v6), 80);
                let node_port = SocketAddr::new(node_address(v6), NODE_PORT);
                node.run(|| {
                    make_by_hand(v6, balancer, destination);
                    make_by_hand(v6, node_port, destination);
                });
                let refused = Outcome::Refused(Refusal::Reset);
                for (client, address, expected) in [
                    (node_address(v6), balancer, Outcome::Silent),
                    (node_address(v6), node_port, refused.clone()),
                    (outside(v6), node_port, refused),
                ] {
                    let outcome = node.topology.probe(&Probe::new(client, Protocol::Tcp, address));
                    assert_eq!(outcome, expected, "{client} to {address}, {destination:?}");
                }
            }
        }
    });
}
