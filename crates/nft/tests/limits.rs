//! What the backend does not do yet must not do harm.

mod common;

use portolan_nft::{NftOptions, render};

#[test]
fn a_load_balancer_address_with_source_ranges_is_not_opened_to_everyone() {
    let mut service = common::service("guarded", &["172.30.0.1"]);
    service.load_balancer_ips = vec!["1.2.3.4".parse().unwrap()];
    let slice = || common::slice("guarded", "v4", &["10.180.0.1@test-node"]);
    let text = |service: &portolan_core::Service| {
        let plans = common::plans(vec![service.clone()], vec![slice()]);
        render(&plans, &common::environment(), &NftOptions::default()).to_string()
    };
    assert!(text(&service).contains("1.2.3.4 . tcp . 80"));
    service.source_ranges = vec!["203.0.113.0/25".parse().unwrap()];
    let guarded = text(&service);
    assert!(!guarded.contains("1.2.3.4"), "{guarded}");
    assert!(guarded.contains("172.30.0.1 . tcp . 80"), "the ClusterIP is served");
}
