//! What people read when they render a cluster.

mod common;

use portolan_core::SessionAffinity;
use portolan_nft::{NftOptions, render};

#[test]
fn one_service_of_each_kind_renders_as_people_expect() {
    let plans = common::one_of_each();
    let ruleset = render(&plans, &common::environment(), &NftOptions::default());
    insta::assert_snapshot!(ruleset);
}

#[test]
fn the_chain_of_a_service_with_session_affinity_renders_as_people_expect() {
    let mut service = common::service("sticky", &["172.30.0.7", "fd00:172:30::7"]);
    service.session_affinity = Some(SessionAffinity { timeout_seconds: 10_800 });
    let endpoints = ["10.180.0.1@test-node", "10.180.0.2@test-node"];
    let plans = common::plans(vec![service], vec![common::slice("sticky", "1", &endpoints)]);
    let ruleset = render(&plans, &common::environment(), &NftOptions::default()).to_string();
    let chains: Vec<&str> = ruleset
        .split("\n\n")
        .filter(|it| it.trim_start().starts_with("chain ") && it.contains("-affinity-10800"))
        .collect();
    insta::assert_snapshot!(chains.join("\n\n"));
}
