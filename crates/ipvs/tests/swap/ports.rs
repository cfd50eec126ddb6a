//! Ports of the node's own addresses that a Service has left.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portolan_core::{ObjectName, Update};
use portolan_ipvs::Mode;
use portolan_lab::{Probe, Protocol, namespaced_as_superuser};

use crate::node::{Clients, Node};

/// Long enough for any machine; nothing waits for so long unless it fails.
const PATIENCE: Duration = Duration::from_secs(10);

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
            let _listener = node.run(|| TcpListener::bind(node_port).unwrap());
            let topology = Arc::clone(&node.topology);
            let connect = || TcpStream::connect_timeout(&node_port, PATIENCE).map(drop);
            let client = topology.host_of(outside).unwrap();
            let ask = || client.run(connect).map_err(|error| error.kind());
            assert_eq!(ask(), Err(ErrorKind::ConnectionRefused), "there is a virtual server");
            // They have until the deadline.
            let end = Instant::now() + Duration::from_secs(30);
            while ask() != Ok(()) {
                assert!(Instant::now() < end, "the port is not free");
                std::thread::sleep(Duration::from_millis(200));
                node.look();
            }
        }
    });
}

/// IPVS tells answers apart by the endpoint, the client and the client's port
/// (`ip_vs_conn_out_get`), and not by the service's address.
#[test]
fn of_two_connections_from_one_port_to_one_endpoint_only_the_later_one_lives() {
    let name = "ports::of_two_connections_from_one_port_to_one_endpoint_only_the_later_one_lives";
    namespaced_as_superuser(name, || {
        for v6 in [false, true] {
            let mut node = Node::start(v6, Mode::Ipvs, Duration::from_secs(600));
            node.serve(&[2]);
            let [first, second, ..] = node.frontends()[..] else { unreachable!() };
            let open = |(source, address)| {
                let probe = Probe::new(source, Protocol::Tcp, address).from_port(40_000);
                node.topology.open(&probe.within(PATIENCE)).unwrap()
            };
            let mut earlier = open(first);
            earlier.exchange(PATIENCE).unwrap();
            let mut later = open(second);
            later.exchange(PATIENCE).unwrap();
            let silence = earlier.exchange(Duration::from_secs(1)).map_err(|error| error.kind());
            assert_eq!(silence, Err(ErrorKind::WouldBlock));
            later.exchange(PATIENCE).unwrap();
        }
    });
}
