//! The data of the packet sequences.

use std::collections::BTreeSet;

use portolan_lab::sequence::{IpFamily, Sequences};

#[test]
fn every_sequence_has_a_name_of_its_own_makes_sense_and_shows_something_after_every_step() {
    let all = Sequences::load().unwrap();
    for family in IpFamily::BOTH {
        let sequences = all.in_family(family).unwrap();
        let names: BTreeSet<_> = sequences.iter().map(|sequence| &sequence.name).collect();
        assert_eq!(names.len(), sequences.len());
        assert!(names.len() >= 70, "only {} sequences in {family:?}", names.len());
        for sequence in &sequences {
            sequence.topology().unwrap();
            for step in &sequence.steps {
                let shown = step.packets.len() + step.asks.len() + step.alive.len();
                assert!(shown > 0, "{}: {}", sequence.name, step.when);
            }
        }
    }
}

#[test]
fn everything_that_ipvs_cannot_do_is_something_that_a_sequence_does() {
    let all = Sequences::load().unwrap();
    let on_ipvs = all.clone().on_ipvs().unwrap();
    for family in IpFamily::BOTH {
        assert_ne!(all.in_family(family).unwrap(), on_ipvs.in_family(family).unwrap());
    }
}

#[test]
fn every_packet_of_a_sequence_is_of_its_family() {
    let all = Sequences::load().unwrap();
    for family in IpFamily::BOTH {
        let sequences = all.in_family(family).unwrap();
        let steps = sequences.iter().flat_map(|sequence| &sequence.steps);
        for packet in steps.flat_map(|step| &step.packets) {
            let families = [packet.from, packet.to].map(IpFamily::of);
            assert_eq!(families, [family, family], "{packet}");
        }
    }
}
