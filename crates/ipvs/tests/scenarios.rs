//! Every packet scenario of kube-proxy's nftables tests, through IPVS: who answers, which
//! source address it sees, what is refused and what is met with silence.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[path = "../../nft/tests/common/scenario_objects.rs"]
mod scenario_objects;
#[path = "../../nft/tests/common/scenario_player.rs"]
mod scenario_player;

use std::net::IpAddr;

use portolan_core::backend::NodePortAddresses;
use portolan_core::{Environment, Family};
use portolan_ipvs::{Dataplane, IpvsOptions, Mode};
use portolan_lab::namespaced_as_superuser;
use portolan_lab::scenario::Config;
use portolan_nft::NftOptions;

/// IPVS has a virtual server for each address, so they are listed.
fn environment(config: &Config) -> Environment {
    let listed = |family: Family| {
        let of_family = |ip: &&IpAddr| Family::of(**ip) == family && !ip.is_loopback();
        let mut addresses: Vec<IpAddr> =
            config.node_addresses.iter().filter(of_family).copied().collect();
        addresses.sort_unstable();
        NodePortAddresses::Listed(addresses)
    };
    let mut environment = scenario_objects::environment(config);
    for (family, addresses) in
        [(Family::V4, &mut environment.node_ports_v4), (Family::V6, &mut environment.node_ports_v6)]
    {
        if *addresses == NodePortAddresses::Any {
            *addresses = listed(family);
        }
    }
    environment
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
