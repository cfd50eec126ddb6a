//! Every packet scenario of kube-proxy's nftables tests, through IPVS: who answers, which
//! source address it sees, what is refused and what is met with silence.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;
#[path = "../../nft/tests/common/scenario_objects.rs"]
mod scenario_objects;
#[path = "../../nft/tests/common/scenario_player.rs"]
mod scenario_player;

use portolan_core::Environment;
use portolan_ipvs::{Dataplane, IpvsOptions, Mode};
use portolan_lab::namespaced_as_superuser;
use portolan_lab::scenario::Config;
use portolan_nft::NftOptions;

fn environment(config: &Config) -> Environment {
    common::listed(scenario_objects::environment(config), &config.node_addresses)
}

#[test]
fn packets_reach_whom_they_should_and_are_seen_as_they_should() {
    namespaced_as_superuser("packets_reach_whom_they_should_and_are_seen_as_they_should", || {
        scenario_player::play_all(
            |config| {
                let masquerade_all = config.masquerade_all;
                let nft = NftOptions { masquerade_all, ..NftOptions::default() };
                Box::new(Dataplane::open(Mode::Ipvs, nft, IpvsOptions::default()).unwrap())
            },
            environment,
        );
    });
}
