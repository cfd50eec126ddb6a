//! Session affinity in a real kernel when as many clients are remembered as there is room for.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use portolan_core::{Backend as _, Index, Protocol, SessionAffinity, Update};
use portolan_lab::{Probe, Topology, TopologySpec, namespaced};
use portolan_netlink::nftables::{Batch, Connection, Data, ElementOperation, Family};
use portolan_nft::{NftBackend, NftOptions};

/// The declared size of the map.
const ROOM: u32 = 262_144;
const ELEMENTS_AT_ONCE: u32 = 4096;
const SERVICE: [&str; 2] = ["172.30.0.1", "fd00:172:30::1"];
const CLIENT: [&str; 2] = ["203.0.113.1", "2600:5200::1"];

fn address([in_v4, in_v6]: [&str; 2], v6: bool) -> IpAddr {
    if v6 { in_v6 } else { in_v4 }.parse().unwrap()
}

/// Remembers as many clients as there is room for, none of which exists.
fn fill(v6: bool) {
    let family = if v6 { Family::Ip6 } else { Family::Ip };
    let mut connection = Connection::open().unwrap();
    for first in (0..ROOM).step_by(ELEMENTS_AT_ONCE as usize) {
        let mut batch = Batch::new(None);
        let mut writer = batch.elements(family, "portolan", "affinity", ElementOperation::Add);
        for number in first..first + ELEMENTS_AT_ONCE {
            let key = key(v6, number);
            writer.push(&key, Some(Data::Bytes(&[0; 4])), None);
        }
        connection.commit(&mut batch).unwrap();
    }
}

/// client . address . protocol . port
fn key(v6: bool, number: u32) -> Vec<u8> {
    let mut key = match (address(["10.0.0.0", "fd00:10::"], v6), address(SERVICE, v6)) {
        (IpAddr::V4(first), IpAddr::V4(service)) => {
            [(first.to_bits() + number).to_be_bytes(), service.octets()].concat()
        }
        (IpAddr::V6(first), IpAddr::V6(service)) => {
            [(first.to_bits() + u128::from(number)).to_be_bytes(), service.octets()].concat()
        }
        families => unreachable!("{families:?}"),
    };
    key.extend([6, 0, 0, 0, 0, 80, 0, 0]);
    key
}

fn lab(v6: bool) -> (Topology, SocketAddr) {
    let pods: Vec<IpAddr> = [["10.180.0.1", "fd00:10:180::1"], ["10.180.0.2", "fd00:10:180::2"]]
        .map(|pod| address(pod, v6))
        .to_vec();
    let mut spec = TopologySpec::default().client(address(CLIENT, v6));
    for pod in &pods {
        spec = spec.pod(*pod).server(*pod, portolan_lab::Protocol::Tcp, 8080);
    }
    let topology = spec.build().unwrap();
    let mut service = common::service("web", &[]);
    service.cluster_ips = vec![address(SERVICE, v6)];
    service.session_affinity = Some(SessionAffinity { timeout_seconds: 10_800 });
    service.ports = vec![common::port("http", Protocol::Tcp, 80, None)];
    let endpoints: Vec<String> = pods.iter().map(|pod| format!("{pod}@{}", common::NODE)).collect();
    let endpoints: Vec<&str> = endpoints.iter().map(String::as_str).collect();
    let mut index = Index::new(common::NODE);
    index.apply(Update::ServiceApplied(service));
    index.apply(Update::EndpointSliceApplied(common::slice("web", "1", &endpoints)));
    index.take_changes();
    topology.node().run(|| {
        let mut backend = NftBackend::open(NftOptions::default()).unwrap();
        backend.converge(&mut index.plans(), &common::environment()).unwrap();
    });
    (topology, SocketAddr::new(address(SERVICE, v6), 80))
}

#[test]
fn when_no_more_clients_can_be_remembered_further_ones_are_balanced() {
    namespaced("when_no_more_clients_can_be_remembered_further_ones_are_balanced", || {
        for v6 in [false, true] {
            let (topology, destination) = lab(v6);
            let ask = || {
                let probe =
                    Probe::new(address(CLIENT, v6), portolan_lab::Protocol::Tcp, destination);
                let outcome = topology.probe(&probe.within(Duration::from_secs(1)));
                outcome.endpoint().map(|endpoint| endpoint.ip())
            };
            topology.node().run(|| fill(v6));
            let answers: BTreeSet<_> = (0..40).map(|_| ask()).collect();
            assert!(!answers.contains(&None), "{answers:?}");
            assert_eq!(answers.len(), 2, "one of two endpoints 40 times: {answers:?}");
        }
    });
}
