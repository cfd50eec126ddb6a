//! People can read tables with session affinity and source ranges too.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;
#[path = "common/nft_json.rs"]
mod nft_json;
#[path = "common/nft_program.rs"]
mod nft_program;
#[path = "common/nft_text.rs"]
mod nft_text;

use std::net::Ipv4Addr;
use std::sync::Arc;

use portolan_core::{Backend as _, ServicePlan, ServiceType, SessionAffinity, SyncReport};
use portolan_lab::{Namespace, namespaced};
use portolan_netlink::nftables::{Batch, Connection, Data, ElementOperation, Family};
use portolan_nft::{NftBackend, NftOptions, render};
use serde_json::Value;

use self::nft_json::comparable;
use self::nft_program::Nft;
use self::nft_text::NftText;

/// A Service that has all of it, in these families.
fn plans(cluster_ips: &[&str]) -> Vec<Arc<ServicePlan>> {
    let mut service = common::service("sticky", cluster_ips);
    service.service_type = ServiceType::LoadBalancer;
    service.session_affinity = Some(SessionAffinity { timeout_seconds: 10_800 });
    service.external_policy_local = true;
    service.load_balancer_ips = vec!["1.2.3.6".parse().unwrap(), "2001:db8:5::6".parse().unwrap()];
    let ranges = ["203.0.113.0/25", "198.51.100.7/32", "2001:db8:9::/48"];
    service.source_ranges = ranges.map(|range| range.parse().unwrap()).to_vec();
    service.ports = vec![common::port("http", portolan_core::Protocol::Tcp, 80, Some(30_086))];
    let v4 = ["10.180.0.1@test-node", "10.180.1.1@other-node"];
    let v6 = ["fd00:10:180::1@test-node", "fd00:10:180:1::1@other-node"];
    let slices = vec![common::slice("sticky", "v4", &v4), common::slice("sticky", "v6", &v6)];
    common::plans(vec![service], slices)
}

fn converge(plans: &[Arc<ServicePlan>]) -> SyncReport {
    let mut backend = NftBackend::open(NftOptions::default()).unwrap();
    backend.converge(&mut plans.iter(), &common::environment()).unwrap()
}

/// A client that the rules would have remembered.
fn remember_a_client() {
    let addresses = [Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(1, 2, 3, 6)];
    let mut key: Vec<u8> = addresses.iter().flat_map(|it| it.octets()).collect();
    key.extend([6, 0, 0, 0, 0, 80, 0, 0]);
    let mut batch = Batch::new(None);
    let seat = Some(Data::Bytes(&[0; 4]));
    let add = ElementOperation::Add;
    batch.elements(Family::Ip, "portolan", "affinity", add).push(&key, seat, None);
    Connection::open().unwrap().commit(&mut batch).unwrap();
}

/// Five rules for each of the two chains that balance a NodePort's clients, for whose seat nft
/// 1.0.6 takes another register; and two of the chain with source ranges, where it swaps the
/// bytes of the protocol, which is a single one.
const WRITTEN_AGAIN: usize = 12;

const BOTH: [&str; 2] = ["172.30.0.6", "fd00:172:30::6"];

#[test]
fn every_nft_lists_chains_maps_and_remembered_clients() {
    namespaced("every_nft_lists_chains_maps_and_remembered_clients", || {
        let plans = plans(&BOTH);
        let text = render(&plans, &common::environment(), &NftOptions::default()).to_string();
        let text = NftText::parse(&text);
        converge(&plans);
        remember_a_client();
        let sorted = |text: &NftText| {
            let mut headings: Vec<String> = text.headings().map(str::to_owned).collect();
            headings.sort_unstable();
            headings
        };
        for nft in Nft::all() {
            let listing = nft.list();
            assert_eq!(sorted(&listing), sorted(&text), "{nft}");
        }
    });
}

/// nft 1.0.6 lists the rule that remembers clients of IPv6, and aborts when it loads it. What
/// else it loads otherwise than later ones means the same, and the agent writes it again, once.
#[test]
fn a_listing_loads_again_in_ipv4_and_from_nft_1_1_on_in_ipv6_too() {
    namespaced("a_listing_loads_again_in_ipv4_and_from_nft_1_1_on_in_ipv6_too", || {
        for nft in Nft::all_that_load() {
            let families = if nft.loads_long_updates() { 2 } else { 1 };
            let plans = plans(BOTH.get(..families).unwrap());
            let listing = Namespace::new("programmed").unwrap().run(|| {
                converge(&plans);
                nft.list()
            });
            Namespace::new("loaded").unwrap().run(|| {
                nft.load(&listing);
                let written_again = converge(&plans).added;
                let expected = if nft.loads_long_updates() { 0 } else { WRITTEN_AGAIN };
                assert_eq!(written_again, expected, "{nft}");
                assert_eq!(converge(&plans), SyncReport::default(), "{nft}");
                assert_eq!(nft.list(), listing, "{nft}");
            });
        }
    });
}

/// The statements that remember clients, of all rules of a ruleset as JSON.
fn take_updates(objects: &mut [Value]) -> Vec<Value> {
    let rules = objects.iter_mut().filter_map(|it| it.pointer_mut("/rule/expr")?.as_array_mut());
    let is_update = |it: &Value| {
        it.get("map").is_some() || it.as_str().is_some_and(|text| text.starts_with("update @"))
    };
    rules
        .flatten()
        .filter(|statement| is_update(statement))
        .map(|statement| std::mem::replace(statement, "update".into()))
        .collect()
}

/// nft 1.0.6 loads it in IPv4 alone, and has text instead of JSON for updates of maps.
#[test]
fn rendered_json_is_what_nft_prints_of_the_rendered_text() {
    namespaced("rendered_json_is_what_nft_prints_of_the_rendered_text", || {
        let plans = plans(BOTH.get(..1).unwrap());
        let ruleset = render(&plans, &common::environment(), &NftOptions::default());
        let printed = |nft: &Nft| {
            Namespace::new("loaded").unwrap().run(|| {
                nft.load(&NftText::parse(&ruleset.to_string()));
                comparable(&nft.list_json())
            })
        };
        let mut rendered = comparable(&ruleset.json().unwrap());
        let updates = take_updates(&mut rendered);
        let mut theirs = printed(&Nft::of_version([1, 0, 6]));
        assert_eq!(take_updates(&mut theirs).len(), updates.len());
        for (ours, theirs) in rendered.iter().zip(&theirs) {
            assert_eq!(ours, theirs);
        }
        assert_eq!(rendered.len(), theirs.len());
        for nft in Nft::all_that_load().iter().filter(|nft| nft.loads_long_updates()) {
            assert_eq!(take_updates(&mut printed(nft)), updates, "{nft}");
        }
    });
}
