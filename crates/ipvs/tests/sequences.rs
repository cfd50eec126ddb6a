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
use portolan_lab::sequence::{Cast, Cluster, Sequences};
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

#[test]
fn after_every_step_packets_reach_whom_they_should_and_nothing_is_left_to_send() {
    let name = "after_every_step_packets_reach_whom_they_should_and_nothing_is_left_to_send";
    namespaced_as_superuser(name, || {
        let sequences = Sequences::load().unwrap().on_ipvs().unwrap();
        let groups = sequence_player::chosen(&sequences);
        let proxy = Proxy { open, environment, at_once: 4 };
        let faults = sequence_player::play_all(groups, &proxy);
        assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    });
}
