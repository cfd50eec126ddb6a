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
use portolan_lab::sequence::{Cluster, Expected, Sequence, Sequences};
use portolan_nft::{NftBackend, NftOptions};

use self::sequence_player::Proxy;

fn open(objects: &Cluster) -> Box<dyn Backend> {
    let masquerade_all = objects.settings.masquerade_all;
    let options = NftOptions { masquerade_all, ..NftOptions::default() };
    Box::new(NftBackend::open(options).unwrap())
}

fn proxy(open: fn(&Cluster) -> Box<dyn Backend>) -> Proxy {
    Proxy { open, environment: sequence_objects::environment, at_once: 4 }
}

#[test]
fn after_every_step_packets_reach_whom_they_should_and_nothing_is_left_to_send() {
    let name = "after_every_step_packets_reach_whom_they_should_and_nothing_is_left_to_send";
    namespaced(name, || {
        let groups = sequence_player::chosen(&Sequences::load().unwrap());
        let faults = sequence_player::play_all(groups, &proxy(open));
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
    sequence.name = format!("{UNTOUCHED}{}", sequence.name);
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

const UNTOUCHED: &str = "untouched: ";

/// Each sequence with untouched packets, and one as it is.
fn both_ways(group: Vec<Sequence>) -> Vec<Sequence> {
    let mut both: Vec<Sequence> = group.iter().cloned().map(untouched).collect();
    let mut expectant = group.into_iter().next().unwrap();
    expectant.steps.iter_mut().for_each(|step| step.wait = 0);
    both.push(expectant);
    both
}

#[test]
fn a_node_that_nobody_programs_leaves_every_packet_alone_and_fails_in_every_sequence() {
    let name = "a_node_that_nobody_programs_leaves_every_packet_alone_and_fails_in_every_sequence";
    namespaced(name, || {
        let all = sequence_player::by_name(&Sequences::load().unwrap());
        let groups: Vec<_> = all.into_iter().map(both_ways).collect();
        let expectant = groups.iter().map(|group| sequence_player::title(group.last().unwrap()));
        let expectant: Vec<String> = expectant.collect();
        let faults = sequence_player::play_all(groups, &proxy(idle));
        let touched: Vec<&String> = faults.iter().filter(|it| it.starts_with(UNTOUCHED)).collect();
        assert!(touched.is_empty(), "{touched:#?}");
        for title in expectant {
            assert!(faults.iter().any(|fault| fault.starts_with(&title)), "{title}");
        }
    });
}
