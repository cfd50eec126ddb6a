//! Every packet sequence, with real connections: after each change of the objects packets go
//! where they should, and a backend that starts then has nothing to send.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "common/sequence_objects.rs"]
mod sequence_objects;
#[path = "common/sequence_player.rs"]
mod sequence_player;

use std::sync::Arc;

use portolan_core::backend::BackendError;
use portolan_core::{Backend, Change, Environment, ServicePlan, SyncReport};
use portolan_lab::namespaced;
use portolan_lab::sequence::{Cluster, Expected, IpFamily, Sequence, Sequences};
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

/// Leaves the kernel as it is.
struct Idle;

impl Backend for Idle {
    fn name(&self) -> &'static str {
        "idle"
    }

    fn atomic(&self) -> bool {
        true
    }

    fn converge(
        &mut self,
        _: &mut dyn Iterator<Item = &Arc<ServicePlan>>,
        _: &Environment,
    ) -> Result<SyncReport, BackendError> {
        Ok(SyncReport::default())
    }

    fn apply(&mut self, _: &[Change]) -> Result<SyncReport, BackendError> {
        Ok(SyncReport::default())
    }

    fn adapt(&mut self, _: &Environment) -> Result<SyncReport, BackendError> {
        Ok(SyncReport::default())
    }
}

fn idle(_: &Cluster) -> Box<dyn Backend> {
    Box::new(Idle)
}

/// The same packets, none of which meets anything on its way.
fn untouched(mut sequence: Sequence) -> Sequence {
    sequence.steps.retain(|step| !step.packets.is_empty());
    for step in &mut sequence.steps {
        (step.wait, step.asks, step.alive) = (0, Vec::new(), Vec::new());
        for packet in &mut step.packets {
            packet.then = Expected::Untouched;
            (packet.masqueraded, packet.times, packet.open) = (false, Some(1), None);
        }
    }
    sequence
}

#[test]
fn on_a_node_that_nobody_programs_every_packet_is_untouched_and_seen_to_be() {
    let name = "on_a_node_that_nobody_programs_every_packet_is_untouched_and_seen_to_be";
    namespaced(name, || {
        let sequences = sequences().into_iter().map(untouched).collect();
        let faults = sequence_player::play_all(sequences, &idle);
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    });
}

#[test]
fn a_node_that_nobody_programs_fails_in_every_sequence() {
    namespaced("a_node_that_nobody_programs_fails_in_every_sequence", || {
        let mut sequences = Sequences::load().unwrap().in_family(IpFamily::V4).unwrap();
        let steps = sequences.iter_mut().flat_map(|sequence| &mut sequence.steps);
        steps.for_each(|step| step.wait = 0);
        let titles: Vec<String> = sequences.iter().map(sequence_player::title).collect();
        let faults = sequence_player::play_all(sequences, &idle);
        for title in titles {
            assert!(faults.iter().any(|fault| fault.starts_with(&title)), "{title}");
        }
    });
}
