//! Who reaches whom in a lab whose node has no packet filter.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use portolan_lab::{
    LabError, Outcome, Probe, Protocol, Server, Topology, TopologySpec, namespaced,
};

const PODS: [&str; 2] = ["10.0.0.2", "fd00:10::2"];
const OTHER_PODS: [&str; 2] = ["10.180.0.1", "fd00:10:180::1"];
const REMOTE_PODS: [&str; 2] = ["10.180.1.1", "fd00:10:180:1::1"];
const CLIENTS: [&str; 2] = ["203.0.113.2", "2600:5200::1"];
const NODE: [&str; 2] = ["192.168.0.2", "2001:db8::1"];
const SECOND_NODE_ADDRESS: [&str; 2] = ["192.168.1.2", "2001:db8:1::2"];
const LOOPBACK: [&str; 2] = ["127.0.0.1", "::1"];
/// Nobody has these, but the node has default routes.
const SERVICES: [&str; 2] = ["172.30.0.41", "fd00:172:30::41"];

/// Everything but a wait for silence may take long on a busy machine.
const PATIENCE: Duration = Duration::from_secs(5);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn address(text: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip(text), port)
}

fn everyone() -> Topology {
    let mut spec = TopologySpec::default();
    for family in [0, 1] {
        spec = spec
            .pod(ip(PODS[family]))
            .pod(ip(OTHER_PODS[family]))
            .remote_pod(ip(REMOTE_PODS[family]))
            .client(ip(CLIENTS[family]));
        for host in [OTHER_PODS, REMOTE_PODS, CLIENTS, NODE].map(|host| ip(host[family])) {
            spec = spec.server(host, Protocol::Tcp, 80);
        }
    }
    spec.build().unwrap()
}

#[test]
fn everyone_reaches_everyone_and_is_seen_under_its_own_address() {
    namespaced("everyone_reaches_everyone_and_is_seen_under_its_own_address", || {
        let topology = everyone();
        let sources = [PODS, OTHER_PODS, REMOTE_PODS, CLIENTS, NODE, SECOND_NODE_ADDRESS];
        let destinations = [OTHER_PODS, REMOTE_PODS, CLIENTS, NODE, SECOND_NODE_ADDRESS];
        let mut probes = Vec::new();
        for family in [0, 1] {
            for source in sources.map(|host| ip(host[family])) {
                for destination in destinations.map(|host| address(host[family], 80)) {
                    probes.push(Probe::new(source, Protocol::Tcp, destination).within(PATIENCE));
                }
            }
            let (source, loopback) = (ip(LOOPBACK[family]), address(LOOPBACK[family], 80));
            probes.push(Probe::new(source, Protocol::Tcp, loopback).within(PATIENCE));
        }
        for (probe, outcome) in probes.iter().zip(topology.probe_all(&probes)) {
            assert_eq!(outcome.endpoint(), Some(probe.destination), "{probe:?}: {outcome:?}");
            let seen = outcome.seen_source().unwrap().ip();
            assert_eq!(seen, probe.source, "{probe:?}: {outcome:?}");
        }
    });
}

#[test]
fn what_is_sent_to_nobody_is_met_with_silence() {
    namespaced("what_is_sent_to_nobody_is_met_with_silence", || {
        let topology = everyone();
        let mut probes = Vec::new();
        for family in [0, 1] {
            for source in [PODS, REMOTE_PODS, CLIENTS, NODE].map(|host| ip(host[family])) {
                for protocol in [Protocol::Tcp, Protocol::Udp, Protocol::Sctp] {
                    probes.push(Probe::new(source, protocol, address(SERVICES[family], 80)));
                }
            }
        }
        for (probe, outcome) in probes.iter().zip(topology.probe_all(&probes)) {
            assert_eq!(outcome, Outcome::Silent, "{probe:?}");
        }
    });
}

#[test]
fn what_is_sent_to_nobody_by_a_pod_or_a_client_is_forwarded_by_the_node() {
    namespaced("what_is_sent_to_nobody_by_a_pod_or_a_client_is_forwarded_by_the_node", || {
        let topology = everyone();
        for source in [PODS, CLIENTS, REMOTE_PODS].concat() {
            let family = usize::from(ip(source).is_ipv6());
            let before = forwarded(&topology, family);
            let probe = Probe::new(ip(source), Protocol::Udp, address(SERVICES[family], 80));
            assert_eq!(topology.probe(&probe), Outcome::Silent);
            assert!(forwarded(&topology, family) > before, "{source}");
        }
    });
}

/// How many packets the node has forwarded.
fn forwarded(topology: &Topology, family: usize) -> u64 {
    topology.node().run(|| {
        if family == 1 {
            let table = std::fs::read_to_string("/proc/thread-self/net/snmp6").unwrap();
            let line = table.lines().find(|line| line.starts_with("Ip6OutForwDatagrams"));
            return line.unwrap().split_whitespace().nth(1).unwrap().parse().unwrap();
        }
        let table = std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
        let mut lines = table.lines().filter(|line| line.starts_with("Ip:"));
        let names = lines.next().unwrap().split_whitespace();
        let numbers = lines.next().unwrap().split_whitespace();
        let mut table = names.zip(numbers);
        table.find(|(name, _)| *name == "ForwDatagrams").unwrap().1.parse().unwrap()
    })
}

#[test]
fn a_removed_pod_is_gone_and_its_address_is_free_for_another() {
    namespaced("a_removed_pod_is_gone_and_its_address_is_free_for_another", || {
        for pod in OTHER_PODS {
            let mut topology = everyone();
            let family = usize::from(ip(pod).is_ipv6());
            let server = Server { address: ip(pod), protocol: Protocol::Tcp, port: 80 };
            let ask = Probe::new(ip(PODS[family]), Protocol::Tcp, address(pod, 80));
            let mut connection =
                topology.connect(ip(PODS[family]), address(pod, 80), PATIENCE).unwrap();
            connection.exchange(PATIENCE).unwrap();

            topology.remove_pod(ip(pod)).unwrap();
            assert_eq!(topology.probe(&ask).endpoint(), None);
            assert!(connection.exchange(Duration::from_millis(100)).is_err());
            assert!(matches!(topology.serve(server), Err(LabError::UnknownAddress { .. })));

            topology.add_pod(&[ip(pod)]).unwrap();
            topology.serve(server).unwrap();
            let outcome = topology.probe(&ask.within(PATIENCE));
            assert_eq!(outcome.endpoint(), Some(address(pod, 80)), "{outcome:?}");
        }
    });
}

#[test]
fn a_pod_can_have_an_address_of_each_family() {
    namespaced("a_pod_can_have_an_address_of_each_family", || {
        let mut topology = everyone();
        let both = ["10.0.0.9", "fd00:10::9"].map(ip);
        topology.add_pod(&both).unwrap();
        for (family, address) in both.into_iter().enumerate() {
            topology.serve(Server { address, protocol: Protocol::Udp, port: 53 }).unwrap();
            let destination = SocketAddr::new(address, 53);
            let probe = Probe::new(ip(PODS[family]), Protocol::Udp, destination).within(PATIENCE);
            assert_eq!(topology.probe(&probe).endpoint(), Some(destination));
        }
    });
}

#[test]
fn an_address_belongs_to_one_host_and_strangers_are_named() {
    namespaced("an_address_belongs_to_one_host_and_strangers_are_named", || {
        let mut topology = everyone();
        for taken in [PODS[0], REMOTE_PODS[1], CLIENTS[0], NODE[1], LOOPBACK[0]].map(ip) {
            let results = [
                topology.add_pod(&[taken]),
                topology.add_remote_pod(taken),
                topology.add_client(taken),
            ];
            for result in results {
                assert_eq!(
                    result.unwrap_err().to_string(),
                    format!("the address {taken} is another host's already")
                );
            }
        }
        let stranger = Probe::new(ip("10.9.9.9"), Protocol::Tcp, address(NODE[0], 80));
        let expected = "no host of the lab has the address 10.9.9.9".to_owned();
        assert_eq!(topology.probe(&stranger), Outcome::Failed(expected));
    });
}

#[test]
fn nothing_is_left_of_a_dropped_topology() {
    namespaced("nothing_is_left_of_a_dropped_topology", || {
        let held = || {
            let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
            let threads = std::fs::read_dir("/proc/self/task").unwrap();
            (descriptors.count(), threads.count())
        };
        let before = held();
        for _ in 0..10 {
            let topology = everyone();
            let probe = Probe::new(ip(PODS[0]), Protocol::Tcp, address(NODE[0], 80));
            assert!(topology.probe(&probe.within(PATIENCE)).endpoint().is_some());
            assert!(held() > before);
            drop(topology);
            // A joined thread is listed until the kernel has finished with it.
            let deadline = Instant::now() + PATIENCE;
            while held() != before && Instant::now() < deadline {
                std::thread::yield_now();
            }
            assert_eq!(held(), before);
        }
    });
}
