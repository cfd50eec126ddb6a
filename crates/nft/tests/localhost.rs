//! NodePorts on 127.0.0.1: who is served, and only while it is asked for.

mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use portolan_core::{Backend as _, Environment, Index, Protocol, ServiceType, Update};
use portolan_lab::{Outcome, Probe, TopologySpec, namespaced};
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
