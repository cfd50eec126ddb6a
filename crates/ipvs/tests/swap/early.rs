//! Packets for services that the table does not hand over: of connections that were begun
//! before their frontend was there, and of those that begin while it is being made.

use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::Duration;

use portolan_core::{ObjectName, Update};
use portolan_ipvs::Mode;
use portolan_lab::{Outcome, Probe, Protocol, Refusal, Topology, namespaced_as_superuser};
use portolan_netlink::conntrack::{Conntrack, Flow};
use portolan_netlink::ipvs::{Destination, Ipvs, Operation, Server, ServerKey};
use portolan_netlink::nftables::{Batch, Connection, ElementOperation, Family};

use crate::node::Node;
use crate::objects::{
    NODE_PORT, TCP_PORT, balancer, client_pod, node_address, outside, pod, service, slice,
};
use crate::tracking::track;

const TCP: u8 = 6;
const LONG: Duration = Duration::from_secs(600);
const PATIENCE: Duration = Duration::from_secs(10);
/// Longer than an answer takes, and shorter than clients wait until they repeat a packet.
const BETWEEN: Duration = Duration::from_millis(300);
/// The clients' own port.
const PORT: u16 = 40_000;

const fn family(v6: bool) -> Family {
    if v6 { Family::Ip6 } else { Family::Ip }
}

/// Forgets the flow of a client that waits for an answer of nobody, as the agent does after
/// a sync. Returns whether there was one.
fn clean_up(topology: &Topology, probe: &Probe) -> bool {
    topology.node().run(|| {
        let mut stale = None;
        let mut visit = |flow: Flow| {
            let client = SocketAddr::new(probe.source, probe.source_port);
            let to = flow.original.destination;
            if flow.original.source == client && to == probe.destination && flow.reply.source == to
            {
                stale = Some(flow);
            }
        };
        let mut conntrack = Conntrack::open().unwrap();
        conntrack.unanswered_flows(family(probe.source.is_ipv6()), TCP, &mut visit).unwrap();
        stale.is_some_and(|flow| conntrack.delete(&flow).unwrap())
    })
}

/// When the first packet is sent.
#[derive(Clone, Copy, Debug)]
enum Begun {
    BeforeTheBackend,
    BeforeTheService,
}

/// The same first packet as before, and as a client repeats it.
fn probes(v6: bool) -> [Probe; 3] {
    let destination = SocketAddr::new(balancer(v6), 80);
    [client_pod(v6), node_address(v6), outside(v6)]
        .map(|client| Probe::new(client, Protocol::Tcp, destination).from_port(PORT))
}

fn without_service(v6: bool) -> Node {
    let mut node = Node::start(v6, Mode::Ipvs, LONG);
    node.update(Update::ServiceDeleted(ObjectName::new("default", "echo")));
    node.look();
    assert_eq!(node.run(|| Ipvs::open().unwrap().servers().unwrap()), []);
    node
}

#[test]
fn a_connection_that_was_begun_too_early_is_never_cut_off_by_the_clean_up() {
    let name = "early::a_connection_that_was_begun_too_early_is_never_cut_off_by_the_clean_up";
    namespaced_as_superuser(name, || {
        for v6 in [false, true] {
            for begun in [Begun::BeforeTheBackend, Begun::BeforeTheService] {
                begin_early(v6, begun);
            }
        }
    });
}

fn begin_early(v6: bool, begun: Begun) {
    let begin = |topology: &Topology| {
        for probe in probes(v6) {
            assert_eq!(topology.probe(&probe), Outcome::Silent, "nobody is there: {probe:?}");
        }
    };
    let node = match begun {
        Begun::BeforeTheBackend => Node::start_after(v6, Mode::Ipvs, LONG, |topology| {
            topology.node().run(|| track(family(v6)));
            begin(topology);
        }),
        Begun::BeforeTheService => {
            let mut node = without_service(v6);
            node.topology.node().run(|| track(family(v6)));
            begin(&node.topology);
            node.update(Update::ServiceApplied(service(v6)));
            node.update(Update::EndpointSliceApplied(slice(v6)));
            node
        }
    };
    for probe in probes(v6) {
        let what = format!("{begun:?}, {} to {}", probe.source, probe.destination);
        let topology = &node.topology;
        let opened = thread::scope(|scope| {
            let client = scope.spawn(|| topology.open(&probe.within(PATIENCE)));
            // By chance a client's packet comes between the sync and the clean-up.
            thread::sleep(BETWEEN);
            assert!(clean_up(topology, &probe), "{what}");
            client.join().unwrap()
        });
        let exchanged = opened.map(|mut connection| connection.exchange(PATIENCE));
        assert!(matches!(exchanged, Ok(Ok(()))), "{what}: {exchanged:?}");
    }
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
