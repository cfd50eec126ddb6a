//! The differential test of the nftables backend, through IPVS: what the same small model of
//! the rules predicts must be what the kernel does and what `explain` says. Emulation is slow, so few clusters are tried
//! unless `PORTOLAN_MODEL_ROUNDS` says how many.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

#[path = "../../nft/tests/differential/clients.rs"]
mod clients;
#[path = "../../nft/tests/differential/cluster.rs"]
mod cluster;
#[path = "../../nft/tests/differential/dice.rs"]
mod dice;
#[path = "../../nft/tests/differential/explained.rs"]
mod explained;
#[path = "../../nft/tests/differential/generate/mod.rs"]
mod generate;
#[path = "../../nft/tests/differential/model/mod.rs"]
mod model;
#[path = "../../nft/tests/differential/packet.rs"]
mod packet;
#[path = "../../nft/tests/differential/packets.rs"]
mod packets;
#[path = "../../nft/tests/differential/play.rs"]
mod play;
#[path = "../../nft/tests/differential/ports_left.rs"]
mod ports_left;
#[path = "../../nft/tests/differential/report.rs"]
mod report;
#[path = "../../nft/tests/differential/round.rs"]
mod round;
#[path = "../../nft/tests/differential/run.rs"]
mod run;
#[path = "../../nft/tests/differential/tally.rs"]
mod tally;
#[path = "../../nft/tests/differential/world.rs"]
mod world;

use std::net::IpAddr;

use portolan_core::{Backend, Environment, Family};
use portolan_ipvs::{Dataplane, IpvsOptions, Mode};
use portolan_lab::namespaced_as_superuser;
use portolan_nft::NftOptions;

use self::cluster::Cluster;
use self::run::{Proxy, run};
use self::world::Addresses;

fn open(cluster: &Cluster) -> Box<dyn Backend> {
    let masquerade_all = cluster.masquerade_all;
    let nft = NftOptions { masquerade_all, ..NftOptions::default() };
    Box::new(Dataplane::open(Mode::Ipvs, nft, IpvsOptions::default()).unwrap())
}

fn environment(told: &Environment) -> Environment {
    let own: Vec<IpAddr> =
        Family::BOTH.into_iter().flat_map(|family| Addresses::of(family).node).collect();
    common::listed(told.clone(), &own)
}

#[test]
fn the_kernel_does_to_every_packet_what_the_model_predicts() {
    let name = "the_kernel_does_to_every_packet_what_the_model_predicts";
    namespaced_as_superuser(name, || {
        run(&Proxy {
            open,
            environment,
            keeps_ports: true,
            seeds: &[2],
            rounds: 1,
            packets: 400,
            rules: 8,
        });
    });
}
