//! Plays packet scenarios through any backend.

use portolan_core::{Backend, Environment, Index, Update};
use portolan_lab::scenario::{Config, Packet, Scenario, Scenarios};

use crate::scenario_objects;

/// A scenario as it is, and in IPv6 if it is one of IPv4.
fn both_families(scenario: &Scenario) -> Vec<Scenario> {
    let translated = scenario.in_ipv6();
    if translated == *scenario { vec![translated] } else { vec![scenario.clone(), translated] }
}

/// Plays all scenarios of kube-proxy's tests, in both families; fails with what went wrong.
/// `open` opens a backend in the node's namespace, `environment` says what it is told.
pub(crate) fn play_all(
    open: impl Fn(&Config) -> Box<dyn Backend> + Sync,
    environment: impl Fn(&Config) -> Environment,
) {
    let scenarios = Scenarios::load().unwrap();
    let mut packets = 0;
    let mut faults = Vec::new();
    for scenario in scenarios.all().flat_map(both_families) {
        packets += scenario.phases.iter().map(|phase| phase.packets.len()).sum::<usize>();
        faults.extend(play(&scenario, &open, &environment(&scenario.config)));
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(packets > 160, "only {packets} packets");
}

/// Plays a scenario's phases one after the other on one node; returns what went wrong.
fn play(
    scenario: &Scenario,
    open: &(impl Fn(&Config) -> Box<dyn Backend> + Sync),
    environment: &Environment,
) -> Vec<String> {
    let topology = scenario.topology().build().unwrap();
    let mut index = Index::new(scenario.config.node_name.as_str());
    index.apply(Update::NodeApplied(scenario_objects::node(&scenario.config)));
    index.apply(Update::ServicesReset(scenario_objects::services(scenario)));
    let mut backend: Option<Box<dyn Backend>> = None;
    let mut faults = Vec::new();
    for phase in &scenario.phases {
        index.apply(Update::EndpointSlicesReset(scenario_objects::slices(phase)));
        let changes = index.take_changes();
        topology.node().run(|| match &mut backend {
            Some(backend) => {
                backend.apply(&changes).unwrap();
            }
            none => {
                let opened = none.insert(open(&scenario.config));
                opened.converge(&mut index.plans(), environment).unwrap();
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
