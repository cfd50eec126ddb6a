//! The packet scenarios on a node that nobody has programmed.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use portolan_lab::namespaced;
use portolan_lab::scenario::{Expected, Scenarios};

#[test]
fn every_scenario_has_an_identity_phases_and_packets() {
    let scenarios = Scenarios::load().unwrap();
    let identities: BTreeSet<_> = scenarios.all().map(|scenario| &scenario.id).collect();
    assert_eq!(identities.len(), scenarios.all().count());
    for phase in scenarios.all().flat_map(|scenario| &scenario.phases) {
        assert!(!phase.packets.is_empty());
        for packet in &phase.packets {
            assert_eq!(packet.expected == Expected::Dnat, !packet.endpoints.is_empty(), "{packet}");
        }
    }
    assert_eq!(scenarios.base_config_ipv4.family, "IPv4");
    assert_eq!(scenarios.base_config_ipv6.family, "IPv6");
}

#[test]
fn on_a_node_without_services_every_packet_of_every_scenario_is_untouched_and_seen_to_be() {
    let name =
        "on_a_node_without_services_every_packet_of_every_scenario_is_untouched_and_seen_to_be";
    namespaced(name, || {
        for scenario in Scenarios::load().unwrap().all() {
            let topology = scenario.topology().build().unwrap();
            for phase in &scenario.phases {
                for observation in phase.play(&topology) {
                    let packet = observation.packet;
                    let place = format!("{}: {packet}", scenario.id);
                    let destination = SocketAddr::new(packet.destination, packet.port);
                    assert_eq!(observation.endpoints(), [destination].into(), "{place}");
                    assert_eq!(observation.seen_sources(), [packet.source].into(), "{place}");
                    let expected = packet.expected == Expected::Untouched;
                    assert_eq!(observation.faults.is_empty(), expected, "{place}: {observation:?}");
                }
            }
        }
    });
}
