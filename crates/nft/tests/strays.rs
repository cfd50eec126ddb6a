//! TCP packets that neither begin a connection nor belong to one that is tracked, as after
//! `conntrack --flush`: what becomes of them, by what their Service asks for.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use portolan_core::{Backend as _, Protocol, Service, ServiceType, WhenEndpointGone};
use portolan_lab::{Topology, TopologySpec, namespaced};
use portolan_netlink::conntrack::Conntrack;
use portolan_netlink::nftables::Family;
use portolan_nft::{NftBackend, NftOptions};

const NODE_PORT: u16 = 30_080;
/// Long enough for any machine; nothing waits for so long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);
const TCP: u8 = 6;

struct Hosts {
    family: Family,
    endpoint: &'static str,
    pod: &'static str,
    client: &'static str,
    node: &'static str,
    cluster_ip: &'static str,
    load_balancer: &'static str,
}

const HOSTS: [Hosts; 2] = [
    Hosts {
        family: Family::Ip,
        endpoint: "10.180.0.1",
        pod: "10.180.0.9",
        client: "192.168.0.100",
        node: "192.168.0.2",
        cluster_ip: "172.30.0.1",
        load_balancer: "1.2.3.4",
    },
    Hosts {
        family: Family::Ip6,
        endpoint: "fd00:10:180::1",
        pod: "fd00:10:180::9",
        client: "2001:db8::100",
        node: "2001:db8::1",
        cluster_ip: "fd00:172:30::1",
        load_balancer: "2001:db8:5::4",
    },
];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Reached in every way that there is, and in one of them only by the client.
fn service(hosts: &Hosts, when: WhenEndpointGone, local: bool) -> Service {
    let mut service = common::service("web", &[hosts.cluster_ip]);
    service.service_type = ServiceType::LoadBalancer;
    service.load_balancer_ips = vec![ip(hosts.load_balancer)];
    service.source_ranges = vec![ip(hosts.client).into()];
    service.ports = vec![common::port("http", Protocol::Tcp, 80, Some(NODE_PORT))];
    service.external_policy_local = local;
    service.tcp_when_endpoint_gone = when;
    service
}

/// Makes the node forget every connection.
fn flush(lab: &Topology, family: Family) {
    lab.node().run(|| {
        let (mut conntrack, mut flows) = (Conntrack::open().unwrap(), Vec::new());
        conntrack.flows(family, TCP, &mut |flow| flows.push(flow)).unwrap();
        assert!(flows.iter().filter(|flow| conntrack.delete(flow).unwrap()).count() >= 4);
    });
}

#[test]
fn only_a_service_that_asks_for_it_turns_strays_away() {
    namespaced("only_a_service_that_asks_for_it_turns_strays_away", || {
        for hosts in &HOSTS {
            for local in [false, true] {
                for when in
                    [WhenEndpointGone::Keep, WhenEndpointGone::Drop, WhenEndpointGone::Reset]
                {
                    forget_and_go_on(hosts, when, local);
                }
            }
        }
    });
}

fn forget_and_go_on(hosts: &Hosts, when: WhenEndpointGone, local: bool) {
    let [endpoint, pod, client] = [hosts.endpoint, hosts.pod, hosts.client].map(ip);
    let spec = TopologySpec::default().pod(endpoint).pod(pod).client(client);
    let lab = spec.server(endpoint, portolan_lab::Protocol::Tcp, 8080).build().unwrap();
    let slice = common::slice("web", "1", &[&format!("{endpoint}@{}", common::NODE)]);
    let plans = common::plans(vec![service(hosts, when, local)], vec![slice]);
    lab.node().run(|| {
        let mut backend = NftBackend::open(NftOptions::default()).unwrap();
        backend.converge(&mut plans.iter(), &common::environment()).unwrap();
    });
    let ways = [
        (pod, ip(hosts.cluster_ip), 80),
        (ip(hosts.node), ip(hosts.cluster_ip), 80),
        (client, ip(hosts.node), NODE_PORT),
        (client, ip(hosts.load_balancer), 80),
    ];
    let mut connections = ways.map(|(source, address, port)| {
        lab.connect(source, SocketAddr::new(address, port), PATIENCE).unwrap()
    });
    for connection in &mut connections {
        connection.exchange(PATIENCE).unwrap();
    }
    flush(&lab, hosts.family);
    // The masqueraded ones get another port, and the endpoint answers that with a reset.
    let source_is_kept = [true, false, local, local];
    for ((way, kept), connection) in ways.iter().zip(source_is_kept).zip(&mut connections) {
        let what = format!("{way:?} {when:?} local: {local}");
        let result = connection.exchange(PATIENCE).map_err(|error| error.kind());
        if when == WhenEndpointGone::Reset || !kept {
            assert_eq!(result, Err(ErrorKind::ConnectionReset), "{what}");
        } else {
            assert_eq!(result, Ok(()), "{what}");
        }
    }
}
