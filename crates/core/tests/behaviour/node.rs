//! What an index makes of this node and of the Service networks.

use portolan_core::{Index, NodeInfo, Update};

use crate::support::*;

#[test]
fn a_change_of_zone_touches_the_services_that_have_hints_for_zones() {
    let endpoints = |a, b| vec![hinted(elsewhere(a), "a"), hinted(elsewhere(b), "b")];
    let mut index = index(web_and_slice());
    apply(&mut index, Update::ServiceApplied(service("hinted", &["10.96.0.2"])));
    let hinted = slice("hinted-1", "hinted", endpoints("10.0.1.1", "10.0.1.2"));
    apply(&mut index, Update::EndpointSliceApplied(hinted));
    assert_eq!(pool_of(&index, "hinted"), on_8080(&["10.0.1.1", "10.0.1.2"]));

    for (zone, expected) in
        [("a", vec!["10.0.1.1"]), ("b", vec!["10.0.1.2"]), ("c", vec!["10.0.1.1", "10.0.1.2"])]
    {
        let changes = apply(&mut index, Update::NodeApplied(node_in(zone)));
        assert_eq!(touched(&changes), ["hinted"]);
        assert_eq!(pool_of(&index, "hinted"), on_8080(&expected), "zone {zone}");
    }
}

#[test]
fn a_change_of_the_node_that_keeps_its_zone_touches_no_service() {
    let mut index = index([Update::NodeApplied(node_in("a"))]);
    let endpoints = vec![hinted(here("10.0.0.1"), "a")];
    apply(&mut index, Update::ServiceApplied(service("web", &["10.96.0.1"])));
    apply(&mut index, Update::EndpointSliceApplied(slice("web-1", "web", endpoints)));
    let node = NodeInfo { leaving: true, addresses: ips(&["10.9.9.9"]), ..node_in("a") };
    assert!(apply(&mut index, Update::NodeApplied(node.clone())).is_empty());
    assert_eq!(index.node(), Some(&node));
}

#[test]
fn the_last_state_of_a_deleted_node_stays_in_use() {
    let mut index = index([Update::NodeApplied(node_in("a")), Update::NodeDeleted]);
    assert!(index.take_changes().is_empty());
    assert_eq!(index.node(), Some(&node_in("a")));
}

#[test]
fn service_networks_are_sorted_without_duplicates_and_replace_each_other() {
    let mut index = Index::new(NODE);
    let networks = nets(&["fd00:96::/112", "10.96.0.0/16", "10.96.0.0/16"]);
    index.apply(Update::ServiceCidrsReset(networks));
    assert_eq!(index.service_cidrs(), nets(&["10.96.0.0/16", "fd00:96::/112"]));
    index.apply(Update::ServiceCidrsReset(nets(&["10.97.0.0/16"])));
    assert_eq!(index.service_cidrs(), nets(&["10.97.0.0/16"]));
}
