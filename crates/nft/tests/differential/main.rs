//! Random packets against random clusters: what a small model of the rules predicts must be
//! what the kernel does, after the first programming and after every change of it, and what
//! `explain` says.
//!
//! `PORTOLAN_MODEL_SEED` replays a seed that a failure named, or tries a new one if it is
//! `random`; `PORTOLAN_MODEL_ROUNDS` says how many clusters are tried with each seed.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod clients;
mod cluster;
mod dice;
mod explained;
mod generate;
mod model;
mod packet;
mod packets;
mod play;
mod ports_left;
mod report;
mod round;
mod run;
mod tally;
mod world;

use portolan_core::{Backend, Environment};
use portolan_lab::namespaced;
use portolan_nft::{NftBackend, NftOptions};

use self::cluster::Cluster;
use self::run::{Proxy, run};

fn open(cluster: &Cluster) -> Box<dyn Backend> {
    let masquerade_all = cluster.masquerade_all;
    // A map for each few, as for the many of a large cluster.
    let options = NftOptions { masquerade_all, endpoints_per_map: 4, ..NftOptions::default() };
    Box::new(NftBackend::open(options).unwrap())
}

#[test]
fn the_kernel_does_to_every_packet_what_the_model_predicts() {
    namespaced("the_kernel_does_to_every_packet_what_the_model_predicts", || {
        run(&Proxy {
            open,
            environment: Environment::clone,
            keeps_ports: false,
            // Together they find every fault that was made to try this test.
            seeds: &[2, 3],
            rounds: 7,
            packets: 3_000,
            rules: 20,
        });
    });
}
