//! Tries clusters until there were enough.

use std::hash::{BuildHasher as _, RandomState};

use portolan_core::{Backend, Environment};

use crate::cluster::Cluster;
use crate::round::{Round, Session};
use crate::world;

/// What programs the node.
pub(crate) struct Proxy {
    /// Makes a backend that has seen nothing.
    pub(crate) open: fn(&Cluster) -> Box<dyn Backend>,
    /// What a backend is told of the node.
    pub(crate) environment: fn(&Environment) -> Environment,
    /// What a Service has left is not always free at once.
    pub(crate) keeps_ports: bool,
    /// The seeds, if none is asked for.
    pub(crate) seeds: &'static [u64],
    /// How many clusters are tried with each seed,
    pub(crate) rounds: u64,
    /// with so many packets at least,
    pub(crate) packets: usize,
    /// and with each outcome of each rule in both families: this many there are at least.
    pub(crate) rules: usize,
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().map_err(|error| format!("{variable} is {text:?}: {error}")).unwrap())
}

/// Tries clusters, and fails with what was not as predicted.
pub(crate) fn run(proxy: &Proxy) {
    let replayed = match std::env::var("PORTOLAN_MODEL_SEED").as_deref() {
        Ok("random") => Some(RandomState::new().hash_one("seed") % 1_000_000),
        _ => number("PORTOLAN_MODEL_SEED"),
    };
    let seeds = replayed.map_or(proxy.seeds.to_vec(), |seed| vec![seed]);
    let rounds = number("PORTOLAN_MODEL_ROUNDS").unwrap_or(proxy.rounds);
    let topology = world::topology().build().unwrap();
    topology.node().set_sysctl("net.ipv4.conf.all.route_localnet", "1").unwrap();
    let mut session = Session::default();
    for seed in seeds {
        println!("PORTOLAN_MODEL_SEED={seed}, {rounds} rounds");
        for number in 0..rounds {
            if !session.tally.has_enough() {
                Round::new(proxy, &topology, seed, number).play(&mut session);
            }
        }
    }
    let tally = session.tally;
    println!("{tally}");
    assert!(tally.faults.is_empty(), "{}", tally.disagreements());
    if replayed.is_none() && rounds >= proxy.rounds {
        let enough = tally.packets() >= proxy.packets && tally.rules() >= proxy.rules;
        assert!(enough, "too few: {tally}");
    }
}
