//! What the options and the environment make of the rules.

mod common;

use portolan_core::Environment;
use portolan_core::backend::LocalPods;
use portolan_nft::{NftOptions, render};

fn text(environment: &Environment, options: &NftOptions) -> String {
    render(&common::one_of_each(), environment, options).to_string()
}

#[test]
fn the_masquerade_bit_is_the_one_that_was_chosen() {
    for (bit, mark) in [(0, "0x00000001"), (14, "0x00004000"), (31, "0x80000000")] {
        let options = NftOptions { masquerade_bit: bit, ..NftOptions::default() };
        let text = text(&common::environment(), &options);
        assert!(text.contains(&format!("meta mark set meta mark | {mark}")), "{bit}");
        assert!(text.contains(&format!("meta mark & {mark} == {mark}")), "{bit}");
    }
}

#[test]
fn masquerade_all_asks_for_no_pod() {
    let options = NftOptions { masquerade_all: true, ..NftOptions::default() };
    let all = text(&common::environment(), &options);
    assert!(!all.contains("ip saddr != 10.0.0.0/8"));
    let some = text(&common::environment(), &NftOptions::default());
    assert!(some.contains("ip saddr != 10.0.0.0/8 meta mark set"));
}

#[test]
fn a_network_of_everything_makes_every_source_a_pod() {
    let everything = Environment {
        local_pods_v4: LocalPods::Source("0.0.0.0/0".parse().unwrap()),
        local_pods_v6: LocalPods::Source("::/0".parse().unwrap()),
        ..common::environment()
    };
    let text = text(&everything, &NftOptions::default());
    assert!(!text.contains("/0"), "nft refuses a match on nothing");
    assert!(text.contains("chain external-local-3-1 {\n\t\tgoto balance-3\n"), "{text}");
}

#[test]
fn service_cidrs_are_merged_and_an_empty_prefix_drops_nothing() {
    let cidrs = ["172.30.0.0/17", "172.30.128.0/17", "172.30.1.0/24", "0.0.0.0/0"];
    let environment = Environment {
        service_cidrs: cidrs.map(|cidr| cidr.parse().unwrap()).to_vec(),
        ..common::environment()
    };
    let text = text(&environment, &NftOptions::default());
    let drops: Vec<&str> =
        text.lines().map(str::trim).filter(|line| line.starts_with("ip daddr 1")).collect();
    assert_eq!(drops, ["ip daddr 172.30.0.0/16 fib daddr type != local drop"]);
}

#[test]
fn no_balance_chain_lets_a_packet_through_that_drew_an_empty_slot() {
    let text = text(&common::environment(), &NftOptions::default());
    let mut chains = 0;
    let balances = |chain: &&str| chain.lines().any(|line| line.trim().starts_with("dnat "));
    for chain in text.split("\tchain ").filter(balances) {
        let last = chain.lines().map(str::trim).take_while(|line| *line != "}").last();
        assert_eq!(last, Some("drop"), "{chain}");
        chains += 1;
    }
    assert!(chains > 5, "{chains}");
}
