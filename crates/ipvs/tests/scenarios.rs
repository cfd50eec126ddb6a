//! Every packet scenario of kube-proxy's nftables tests, through IPVS: who answers, which
//! source address it sees, what is refused and what is met with silence.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "../../nft/tests/common/scenario_objects.rs"]
mod scenario_objects;

use std::net::IpAddr;

use portolan_core::backend::NodePortAddresses;
use portolan_core::{Backend as _, Environment, Family, Index, Update};
use portolan_ipvs::{Dataplane, IpvsOptions, Mode};
use portolan_lab::namespaced_as_superuser;
use portolan_lab::scenario::{Config, Packet, Scenario, Scenarios};
use portolan_nft::NftOptions;

/// A scenario as it is, and in IPv6 if it is one of IPv4.
fn both_families(scenario: &Scenario) -> Vec<Scenario> {
    let translated = scenario.in_ipv6();
    if translated == *scenario { vec![translated] } else { vec![scenario.clone(), translated] }
}

/// IPVS has a virtual server for each address, so they are listed.
fn environment(config: &Config) -> Environment {
    let listed = |family: Family| {
        let of_family = |ip: &&IpAddr| Family::of(**ip) == family && !ip.is_loopback();
        let mut addresses: Vec<IpAddr> =
            config.node_addresses.iter().filter(of_family).copied().collect();
        addresses.sort_unstable();
        NodePortAddresses::Listed(addresses)
    };
    let mut environment = scenario_objects::environment(config);
    for (family, addresses) in
        [(Family::V4, &mut environment.node_ports_v4), (Family::V6, &mut environment.node_ports_v6)]
    {
        if *addresses == NodePortAddresses::Any {
            *addresses = listed(family);
        }
    }
    environment
}

/// Plays a scenario's phases one after the other on one node; returns what went wrong.
fn play(scenario: &Scenario) -> Vec<String> {
    let topology = scenario.topology().build().unwrap();
    let environment = environment(&scenario.config);
    let nft =
        NftOptions { masquerade_all: scenario.config.masquerade_all, ..NftOptions::default() };
    let mut index = Index::new(scenario.config.node_name.as_str());
    index.apply(Update::NodeApplied(scenario_objects::node(&scenario.config)));
    index.apply(Update::ServicesReset(scenario_objects::services(scenario)));
    let mut backend: Option<Dataplane> = None;
    let mut faults = Vec::new();
    for phase in &scenario.phases {
        index.apply(Update::EndpointSlicesReset(scenario_objects::slices(phase)));
        let changes = index.take_changes();
        topology.node().run(|| match &mut backend {
            Some(backend) => {
                backend.apply(&changes).unwrap();
            }
            None => {
                let options = IpvsOptions::default();
                let mut opened = Dataplane::open(Mode::Ipvs, nft.clone(), options).unwrap();
                opened.converge(&mut index.plans(), &environment).unwrap();
                backend = Some(opened);
            }
        });
        for observation in phase.play(&topology) {
            for fault in observation.faults {
                let Packet { description, .. } = observation.packet;
                let Config { family, .. } = &scenario.config;
                faults.push(format!("{} {family}: {description}: {fault}", scenario.id));
            }
        }
    }
    faults
}

#[test]
fn packets_reach_whom_they_should_and_are_seen_as_they_should() {
    namespaced_as_superuser("packets_reach_whom_they_should_and_are_seen_as_they_should", || {
        let scenarios = Scenarios::load().unwrap();
        let mut packets = 0;
        let mut faults = Vec::new();
        for scenario in scenarios.all() {
            for scenario in both_families(scenario) {
                packets += scenario.phases.iter().map(|phase| phase.packets.len()).sum::<usize>();
                faults.extend(play(&scenario));
            }
        }
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
        assert!(packets > 160, "only {packets} packets");
    });
}
