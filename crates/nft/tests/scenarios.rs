//! Every packet scenario of kube-proxy's nftables tests, with real connections: who
//! answers, which source address it sees, what is refused and what is met with silence.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "common/scenario_objects.rs"]
mod scenario_objects;
#[path = "common/scenario_player.rs"]
mod scenario_player;

use portolan_lab::namespaced;
use portolan_nft::{NftBackend, NftOptions};

#[test]
fn packets_reach_whom_they_should_and_are_seen_as_they_should() {
    namespaced("packets_reach_whom_they_should_and_are_seen_as_they_should", || {
        scenario_player::play_all(
            |config| {
                let masquerade_all = config.masquerade_all;
                let options = NftOptions { masquerade_all, ..NftOptions::default() };
                Box::new(NftBackend::open(options).unwrap())
            },
            scenario_objects::environment,
        );
    });
}
