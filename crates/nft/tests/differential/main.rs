//! Random packets against random clusters: what a small model of the rules predicts must be
//! what the kernel does, after the first programming and after every change of it.
//!
//! `PORTOLAN_MODEL_SEED` replays a seed that a failure named, or tries a new one if it is
//! `random`; `PORTOLAN_MODEL_ROUNDS` says how many clusters are tried with each seed.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod clients;
mod cluster;
mod dice;
mod generate;
mod model;
mod packet;
mod packets;
mod play;
mod report;
mod round;
mod tally;
mod world;

use std::hash::{BuildHasher as _, RandomState};

use portolan_lab::namespaced;

use self::round::{Round, Session};

/// Together they find every fault that was made to try this test.
const SEEDS: [u64; 2] = [2, 3];
/// How many clusters are tried with each seed.
const ROUNDS: u64 = 7;
/// So many packets are sent at least,
const PACKETS: usize = 3_000;
/// and with each outcome of each rule in both families: this many there are at least.
const RULES: usize = 20;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().map_err(|error| format!("{variable} is {text:?}: {error}")).unwrap())
}

#[test]
fn the_kernel_does_to_every_packet_what_the_model_predicts() {
    namespaced("the_kernel_does_to_every_packet_what_the_model_predicts", || {
        let replayed = match std::env::var("PORTOLAN_MODEL_SEED").as_deref() {
            Ok("random") => Some(RandomState::new().hash_one("seed") % 1_000_000),
            _ => number("PORTOLAN_MODEL_SEED"),
        };
        let seeds = replayed.map_or(SEEDS.to_vec(), |seed| vec![seed]);
        let rounds = number("PORTOLAN_MODEL_ROUNDS").unwrap_or(ROUNDS);
        let topology = world::topology().build().unwrap();
        topology.node().set_sysctl("net.ipv4.conf.all.route_localnet", "1").unwrap();
        let mut session = Session::default();
        for seed in seeds {
            println!("PORTOLAN_MODEL_SEED={seed}, {rounds} rounds");
            for number in 0..rounds {
                if !session.tally.has_enough() {
                    Round::new(&topology, seed, number).play(&mut session);
                }
            }
        }
        let tally = session.tally;
        println!("{tally}");
        assert!(tally.faults.is_empty(), "{}", tally.disagreements());
        if replayed.is_none() && rounds >= ROUNDS {
            assert!(tally.packets() >= PACKETS && tally.rules() >= RULES, "too few: {tally}");
        }
    });
}
