//! What probes and connections tell.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use portolan_lab::{Outcome, Probe, Protocol, Refusal, Server, Topology, TopologySpec, namespaced};

const PROTOCOLS: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
/// Asker, and two addresses of the same host.
const IPV4: [&str; 3] = ["10.0.0.2", "10.180.1.1", "10.180.1.2"];
const IPV6: [&str; 3] = ["fd00:10::2", "fd00:10:180::1", "fd00:10:180::2"];
const PATIENCE: Duration = Duration::from_secs(5);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn pod_and_remote_pods() -> Topology {
    let mut spec = TopologySpec::default();
    for [pod, one, other] in [IPV4, IPV6].map(|family| family.map(ip)) {
        spec = spec.pod(pod).remote_pod(one).remote_pod(other);
        for protocol in PROTOCOLS {
            spec = spec.server(one, protocol, 80);
        }
    }
    spec.build().unwrap()
}

#[test]
fn a_server_answers_from_each_address_of_its_host_in_every_protocol() {
    namespaced("a_server_answers_from_each_address_of_its_host_in_every_protocol", || {
        let topology = pod_and_remote_pods();
        for [pod, one, other] in [IPV4, IPV6].map(|family| family.map(ip)) {
            for protocol in PROTOCOLS {
                for destination in [one, other].map(|ip| SocketAddr::new(ip, 80)) {
                    let probe = Probe::new(pod, protocol, destination).within(PATIENCE);
                    let outcome = topology.probe(&probe);
                    assert_eq!(outcome.endpoint(), Some(destination), "{probe:?}: {outcome:?}");
                    assert_eq!(outcome.seen_source().unwrap().ip(), pod, "{probe:?}");
                }
            }
        }
    });
}

#[test]
fn a_port_without_a_server_is_refused_by_the_host_itself() {
    namespaced("a_port_without_a_server_is_refused_by_the_host_itself", || {
        let topology = pod_and_remote_pods();
        for [pod, one, _] in [IPV4, IPV6].map(|family| family.map(ip)) {
            let destination = SocketAddr::new(one, 81);
            for (protocol, refusal) in
                [(Protocol::Tcp, Refusal::Reset), (Protocol::Udp, Refusal::Icmp)]
            {
                let probe = Probe::new(pod, protocol, destination).within(PATIENCE);
                assert_eq!(topology.probe(&probe), Outcome::Refused(refusal), "{probe:?}");
            }
            // A host with SCTP servers leaves every SCTP packet to them.
            let probe = Probe::new(pod, Protocol::Sctp, destination);
            assert_eq!(topology.probe(&probe), Outcome::Silent, "{probe:?}");
            // One without has no use for the protocol at all.
            let probe = Probe::new(one, Protocol::Sctp, SocketAddr::new(pod, 81)).within(PATIENCE);
            assert_eq!(topology.probe(&probe), Outcome::Refused(Refusal::Icmp), "{probe:?}");
        }
    });
}

#[test]
fn many_probes_at_once_are_all_answered() {
    namespaced("many_probes_at_once_are_all_answered", || {
        let topology = pod_and_remote_pods();
        for [pod, one, _] in [IPV4, IPV6].map(|family| family.map(ip)) {
            for protocol in PROTOCOLS {
                let destination = SocketAddr::new(one, 80);
                let probe = Probe::new(pod, protocol, destination).within(PATIENCE);
                let outcomes = topology.probe_repeatedly(&probe, 150);
                assert_eq!(outcomes.len(), 150);
                for outcome in outcomes {
                    assert_eq!(outcome.endpoint(), Some(destination), "{outcome:?}");
                }
            }
        }
    });
}

#[test]
fn a_connection_carries_its_numbers_as_long_as_it_lives() {
    namespaced("a_connection_carries_its_numbers_as_long_as_it_lives", || {
        let mut topology = pod_and_remote_pods();
        for [pod, one, _] in [IPV4, IPV6].map(|family| family.map(ip)) {
            let destination = SocketAddr::new(one, 80);
            let mut connections: Vec<_> =
                (0..20).map(|_| topology.connect(pod, destination, PATIENCE).unwrap()).collect();
            for _ in 0..10 {
                for connection in &mut connections {
                    assert_eq!(connection.endpoint(), destination);
                    connection.exchange(PATIENCE).unwrap();
                }
            }
            let refused = topology.connect(pod, SocketAddr::new(one, 81), PATIENCE);
            assert_eq!(refused.unwrap_err(), Outcome::Refused(Refusal::Reset));
        }
        let late = Server { address: ip(IPV4[1]), protocol: Protocol::Tcp, port: 81 };
        topology.serve(late).unwrap();
        topology.serve(late).unwrap();
        topology.connect(ip(IPV4[0]), SocketAddr::new(ip(IPV4[1]), 81), PATIENCE).unwrap();
    });
}

#[test]
fn a_program_that_is_no_server_of_the_lab_is_not_taken_for_one() {
    namespaced("a_program_that_is_no_server_of_the_lab_is_not_taken_for_one", || {
        let topology = pod_and_remote_pods();
        let host = topology.host_of(ip(IPV4[1])).unwrap();
        let stranger = host.run(|| std::net::TcpListener::bind("0.0.0.0:82").unwrap());
        let hello = std::thread::spawn(move || {
            use std::io::Write as _;
            stranger.accept().unwrap().0.write_all(b"hello\n").unwrap();
        });
        let destination = SocketAddr::new(ip(IPV4[1]), 82);
        let probe = Probe::new(ip(IPV4[0]), Protocol::Tcp, destination).within(PATIENCE);
        let expected = "answered by a stranger: \"hello\\n\"".to_owned();
        assert_eq!(topology.probe(&probe), Outcome::Failed(expected));
        hello.join().unwrap();
    });
}
