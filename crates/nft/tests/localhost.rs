//! NodePorts on 127.0.0.1: who is served, only while it is asked for, and nobody of the network.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use portolan_core::{Backend as _, Environment, Index, Protocol, ServiceType, Update};
use portolan_lab::{
    Gateway, Namespace, Outcome, Probe, RouteSocket, Topology, TopologySpec, namespaced,
};
use portolan_netlink::nftables::{Batch, Connection, Family};
use portolan_nft::{NftBackend, NftOptions};

const LOCALHOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const NODE_PORT: u16 = 30_080;

#[test]
fn processes_of_the_node_reach_node_ports_on_localhost_only_while_that_is_asked_for() {
    let name = "processes_of_the_node_reach_node_ports_on_localhost_only_while_that_is_asked_for";
    namespaced(name, || {
        let endpoint = IpAddr::from([10, 180, 0, 1]);
        let protocols = [portolan_lab::Protocol::Tcp, portolan_lab::Protocol::Udp];
        let spec = protocols.into_iter().fold(TopologySpec::default().pod(endpoint), |spec, it| {
            spec.server(endpoint, it, 8080)
        });
        let topology = spec.build().unwrap();
        let mut service = common::service("web", &["172.30.0.1"]);
        service.service_type = ServiceType::NodePort;
        service.ports = vec![
            common::port("http", Protocol::Tcp, 80, Some(NODE_PORT)),
            common::port("udp", Protocol::Udp, 80, Some(NODE_PORT)),
        ];
        let mut slice = common::slice("web", "1", &["10.180.0.1@test-node"]);
        let mut udp = slice.ports.first().unwrap().clone();
        (udp.name, udp.protocol) = ("udp".into(), Protocol::Udp);
        slice.ports.push(udp);
        let mut index = Index::new(common::NODE);
        index.apply(Update::ServiceApplied(service));
        index.apply(Update::EndpointSliceApplied(slice));
        index.take_changes();

        let with =
            |localhost_node_ports| Environment { localhost_node_ports, ..common::environment() };
        let mut backend = topology.node().run(|| {
            std::fs::write("/proc/sys/net/ipv4/conf/all/route_localnet", "1").unwrap();
            let mut backend = NftBackend::open(NftOptions::default()).unwrap();
            backend.converge(&mut index.plans(), &with(false)).unwrap();
            backend
        });
        for asked in [false, true, false] {
            topology.node().run(|| backend.adapt(&with(asked)).unwrap());
            for protocol in protocols {
                let probe = Probe::new(LOCALHOST, protocol, SocketAddr::new(LOCALHOST, NODE_PORT));
                match topology.probe(&probe) {
                    Outcome::Answered { endpoint: answered, seen_source } => {
                        assert!(asked, "{protocol}");
                        assert_eq!(answered, SocketAddr::new(endpoint, 8080), "{protocol}");
                        assert!(topology.is_node_address(seen_source.ip()), "{seen_source}");
                    }
                    outcome => assert!(!asked, "{protocol}: {outcome:?}"),
                }
            }
        }
    });
}

/// An address that the client believes the node has outside of its loopback.
const NODE_LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// An address of the client by which it looks like the node itself.
const FALSE_LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 5));
const GUARD: &str = "guard-loopback";

#[test]
fn the_network_reaches_loopback_addresses_only_while_nothing_guards_them() {
    let name = "the_network_reaches_loopback_addresses_only_while_nothing_guards_them";
    namespaced(name, || {
        let (client, node) = (IpAddr::from([203, 0, 113, 2]), IpAddr::from([192, 168, 0, 2]));
        let protocols = [portolan_lab::Protocol::Tcp, portolan_lab::Protocol::Udp];
        let spec = protocols
            .into_iter()
            .fold(TopologySpec::default().client(client), |spec, it| spec.server(node, it, 8080));
        let topology = spec.build().unwrap();
        // A host sends packets to another one's loopback only if it has none itself.
        let outside = topology.host_of(client).unwrap();
        for host in [topology.node(), outside] {
            host.set_sysctl("net.ipv4.conf.all.route_localnet", "1").unwrap();
        }
        outside.run(|| {
            let route = RouteSocket::open().unwrap();
            route.delete_address("lo", "127.0.0.1/8".parse().unwrap()).unwrap();
            let gateway = Gateway { link: "lan0", via: Some(node), source: Some(client) };
            route.add_route(NODE_LOOPBACK.into(), &gateway).unwrap();
            route.add_address("lan0", FALSE_LOOPBACK.into()).unwrap();
        });

        let answered = |from, to, protocol| {
            let probe = Probe::new(from, protocol, SocketAddr::new(to, 8080));
            match topology.probe(&probe) {
                Outcome::Answered { endpoint, .. } => {
                    assert_eq!(endpoint, SocketAddr::new(to, 8080), "{protocol}");
                    true
                }
                Outcome::Silent => false,
                outcome => panic!("{from} to {to} over {protocol}: {outcome:?}"),
            }
        };
        let check = |open: bool, when: &str| {
            for protocol in protocols {
                assert_eq!(answered(client, NODE_LOOPBACK, protocol), open, "{when}, {protocol}");
                assert!(answered(client, node, protocol), "{when}, {protocol}");
                assert!(answered(LOCALHOST, LOCALHOST, protocol), "{when}, {protocol}");
            }
            assert_eq!(hears_false_loopback(&topology, outside, node), open, "{when}");
        };
        let environment =
            |localhost_node_ports| Environment { localhost_node_ports, ..common::environment() };
        let index = Index::new(common::NODE);
        let mut backend = topology.node().run(|| {
            let mut backend = NftBackend::open(NftOptions::default()).unwrap();
            backend.converge(&mut index.plans(), &environment(false)).unwrap();
            backend
        });
        check(true, "NodePorts on localhost are not asked for");
        topology.node().run(|| backend.adapt(&environment(true)).unwrap());
        check(false, "they are asked for");
        topology.node().run(delete_guard);
        check(true, "somebody has deleted the chain that guards");
        topology.node().run(|| backend.converge(&mut index.plans(), &environment(true)).unwrap());
        check(false, "it is put back");
        topology.node().run(|| backend.adapt(&environment(false)).unwrap());
        check(true, "NodePorts on localhost are not asked for any more");
    });
}

/// Whether a datagram gets through whose sender pretends to be the node; an answer to it would
/// stay on the node.
fn hears_false_loopback(topology: &Topology, outside: &Namespace, node: IpAddr) -> bool {
    const PORT: u16 = 9999;
    let listener = topology.node().run(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT)).unwrap());
    outside.run(|| {
        let socket = UdpSocket::bind((FALSE_LOOPBACK, 0)).unwrap();
        socket.send_to(b"?", (node, PORT)).unwrap();
    });
    listener.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    match listener.recv_from(&mut [0; 8]) {
        Ok((_, from)) => from.ip() == FALSE_LOOPBACK,
        Err(_) => false,
    }
}

fn delete_guard() {
    let mut batch = Batch::new(None);
    batch.delete_chain(Family::Ip, &NftOptions::default().table, GUARD);
    Connection::open().unwrap().commit(&mut batch).unwrap();
}
