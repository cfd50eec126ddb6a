//! Every packet sequence, through IPVS: after each change of the objects packets go where
//! they should, and a backend that starts then has nothing to send.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;
#[path = "../../nft/tests/common/sequence_objects.rs"]
mod sequence_objects;
#[path = "../../nft/tests/common/sequence_player.rs"]
mod sequence_player;

use portolan_core::{Backend, Environment};
use portolan_ipvs::{Dataplane, IpvsOptions, Mode};
use portolan_lab::namespaced_as_superuser;
use portolan_lab::sequence::{Cast, Cluster, Expected, Sequence, Sequences};
use portolan_nft::NftOptions;

use self::sequence_player::Proxy;

fn open(objects: &Cluster) -> Box<dyn Backend> {
    let masquerade_all = objects.settings.masquerade_all;
    let nft = NftOptions { masquerade_all, ..NftOptions::default() };
    Box::new(Dataplane::open(Mode::Ipvs, nft, IpvsOptions::default()).unwrap())
}

fn environment(objects: &Cluster, cast: &Cast) -> Environment {
    common::listed(sequence_objects::environment(objects, cast), &objects.this_node.interface)
}

/// Emulation is slow, so every other sequence is played in one family, by turns: both have the
/// same text. `PORTOLAN_SEQUENCE=` plays all in both, as long as that takes.
fn chosen() -> Vec<Vec<Sequence>> {
    let mut groups = sequence_player::chosen(&Sequences::load().unwrap().on_ipvs().unwrap());
    if std::env::var_os(sequence_player::ONLY).is_none() {
        groups = groups.into_iter().step_by(2).collect();
        for (number, group) in groups.iter_mut().enumerate() {
            let kept = group.swap_remove(number % group.len());
            *group = vec![kept];
        }
    }
    groups.iter_mut().flatten().for_each(lighten);
    groups
}

/// IPVS chooses endpoints in turn, so few packets find them all; only those of clients outside
/// are never balanced by the table, at random. Who is kept is kept the second time.
fn lighten(sequence: &mut Sequence) {
    const PER_ENDPOINT: usize = 6;
    const FEW: usize = 2;
    let outside = &sequence.cast.as_ref().unwrap().clients;
    for step in &mut sequence.steps {
        for packet in step.packets.iter_mut().filter(|packet| packet.times.is_none()) {
            packet.times = match &packet.then {
                Expected::Answered(endpoints) if endpoints.len() > 1 => {
                    outside.contains(&packet.from).then_some(endpoints.len() * PER_ENDPOINT)
                }
                _ => Some(FEW),
            };
        }
        step.asks.iter_mut().for_each(|ask| ask.times = ask.times.min(FEW));
    }
}

#[test]
fn after_every_step_packets_reach_whom_they_should_and_nothing_is_left_to_send() {
    let name = "after_every_step_packets_reach_whom_they_should_and_nothing_is_left_to_send";
    namespaced_as_superuser(name, || {
        let proxy = Proxy { open, environment, at_once: 6 };
        let faults = sequence_player::play_all(chosen(), &proxy);
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    });
}
