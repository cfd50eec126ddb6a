//! The table hands connections to IPVS, and takes new ones back, in one transaction.

mod common;

use portolan_core::{Backend as _, Environment, SyncReport};
use portolan_lab::namespaced;
use portolan_nft::{Ipvs, NftBackend, NftOptions, render};

const MODES: [Ipvs; 3] = [Ipvs::Unused, Ipvs::Draining, Ipvs::Serving];

fn options(ipvs: Ipvs) -> NftOptions {
    NftOptions { ipvs, ..NftOptions::default() }
}

fn environment() -> Environment {
    Environment { localhost_node_ports: true, ..common::environment() }
}

#[test]
fn every_change_of_the_way_to_endpoints_is_one_transaction_of_a_few_rules() {
    let name = "every_change_of_the_way_to_endpoints_is_one_transaction_of_a_few_rules";
    namespaced(name, || {
        let plans = common::one_of_each();
        for before in MODES {
            for after in MODES {
                let mut backend = NftBackend::open(options(before)).unwrap();
                backend.converge(&mut plans.iter(), &environment()).unwrap();
                backend.set_ipvs(after);
                let report = backend.adapt(&environment()).unwrap();
                let is_other = before != after;
                assert_eq!(report.transactions, usize::from(is_other), "{before:?} {after:?}");
                let mut fresh = NftBackend::open(options(after)).unwrap();
                let missing = fresh.converge(&mut plans.iter(), &environment()).unwrap();
                assert_eq!(missing, SyncReport::default(), "{before:?} {after:?}");
            }
        }
    });
}

#[test]
fn the_chains_that_hand_over_render_as_people_expect() {
    let ruleset = render(&common::one_of_each(), &environment(), &options(Ipvs::Serving));
    let text = ruleset.to_string();
    let chains = text.split("\n\n").filter(|block| {
        let block = block.trim_start();
        block.starts_with("chain ") && (block.contains("hand-over") || block.contains("ct mark"))
    });
    insta::assert_snapshot!(chains.collect::<Vec<_>>().join("\n\n"));
}
