//! What people read when they render a cluster.

mod common;

use portolan_nft::{NftOptions, render};

#[test]
fn one_service_of_each_kind_renders_as_people_expect() {
    let plans = common::one_of_each();
    let ruleset = render(&plans, &common::environment(), &NftOptions::default());
    insta::assert_snapshot!(ruleset);
}
