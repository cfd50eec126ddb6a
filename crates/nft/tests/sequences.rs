//! Every packet sequence, with real connections: after each change of the objects packets go
//! where they should, and a backend that starts then has nothing to send.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "common/sequence_objects.rs"]
mod sequence_objects;
#[path = "common/sequence_player.rs"]
mod sequence_player;

use std::collections::BTreeSet;

use portolan_core::Backend;
use portolan_lab::namespaced;
use portolan_lab::sequence::{Cluster, IpFamily, Sequence, Sequences};
use portolan_nft::{NftBackend, NftOptions};

/// Plays only sequences whose names contain this; for whoever looks into one of them.
const ONLY: &str = "PORTOLAN_SEQUENCE";

fn open(objects: &Cluster) -> Box<dyn Backend> {
    let masquerade_all = objects.settings.masquerade_all;
    let options = NftOptions { masquerade_all, ..NftOptions::default() };
    Box::new(NftBackend::open(options).unwrap())
}

fn sequences() -> Vec<Sequence> {
    let all = Sequences::load().unwrap();
    let families = IpFamily::BOTH.into_iter();
    families.flat_map(|family| all.in_family(family).unwrap()).collect()
}

#[test]
fn after_every_step_packets_reach_whom_they_should_and_nothing_is_left_to_send() {
    let name = "after_every_step_packets_reach_whom_they_should_and_nothing_is_left_to_send";
    namespaced(name, || {
        let mut sequences = sequences();
        if let Ok(wanted) = std::env::var(ONLY) {
            sequences.retain(|sequence| sequence.name.contains(&wanted));
        }
        let faults = sequence_player::play_all(sequences, &open);
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    });
}

#[test]
fn every_sequence_has_a_name_of_its_own_and_shows_something_after_every_step() {
    let sequences = sequences();
    let names: BTreeSet<_> = sequences.iter().map(|it| (&it.name, &it.families)).collect();
    assert!(names.len() >= 10, "only {} sequences", names.len());
    for sequence in &sequences {
        for step in &sequence.steps {
            let shown = step.packets.len() + step.asks.len() + step.alive.len();
            assert!(shown > 0, "{}: {}", sequence.name, step.when);
        }
    }
}
