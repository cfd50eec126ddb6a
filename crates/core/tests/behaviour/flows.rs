//! Which UDP flows are stale after a change.

use portolan_core::backend::NodePortAddresses;
use portolan_core::flows::{FlowJudge, FlowRules, Suspects, TrackedFlow};
use portolan_core::{Endpoint, Environment, Family, Index, Protocol, Service, ServiceType, Update};

use crate::support::{
    address, draining, elsewhere, here, index, ips, name, node_port, service, slice, slice_port,
    unready,
};

const CLUSTER: &str = "10.96.0.1:53";
/// What answers if a flow to [`CLUSTER`] is not translated.
const NOBODY: &str = CLUSTER;
const FIRST: &str = "10.0.0.1:5353";
const SECOND: &str = "10.0.0.2:5353";

/// UDP port 53 of 10.96.0.1, with NodePort 30053.
fn dns() -> Service {
    Service {
        service_type: ServiceType::NodePort,
        ports: vec![node_port("", Protocol::Udp, 53, 30053)],
        ..service("dns", &["10.96.0.1"])
    }
}

fn serve(endpoints: Vec<Endpoint>) -> Update {
    let mut slice = slice("dns-1", "dns", endpoints);
    slice.ports = vec![slice_port("", Protocol::Udp, 5353)];
    Update::EndpointSliceApplied(slice)
}

fn dns_with(endpoints: Vec<Endpoint>) -> Index {
    index([Update::ServiceApplied(dns()), serve(endpoints)])
}

fn flow(destination: &str, reply_source: &str) -> TrackedFlow {
    let (destination, reply_source) = (address(destination), address(reply_source));
    TrackedFlow { protocol: Protocol::Udp, destination, reply_source, answered: true }
}

fn is_stale(rules: &FlowRules, destination: &str, reply_source: &str) -> bool {
    let listed = Environment {
        node_ports_v4: NodePortAddresses::Listed(ips(&["192.0.2.1"])),
        ..Environment::default()
    };
    FlowJudge::new(rules, &listed, &[]).is_stale(flow(destination, reply_source))
}

fn noted(index: &mut Index, updates: impl IntoIterator<Item = Update>) -> FlowRules {
    updates.into_iter().for_each(|update| index.apply(update));
    let mut rules = FlowRules::default();
    rules.note_changes(&index.take_changes());
    rules
}

/// Which of the flows to [`CLUSTER`] are stale: those not translated, those to the first
/// endpoint and those to the second.
fn stale(rules: &FlowRules) -> [bool; 3] {
    [NOBODY, FIRST, SECOND].map(|reply_source| is_stale(rules, CLUSTER, reply_source))
}

#[test]
fn a_flow_stays_with_an_endpoint_as_long_as_that_serves() {
    let (first, second) = (|| here("10.0.0.1"), || elsewhere("10.0.0.2"));
    let cases = [
        ("removed", vec![second()], [true, true, false]),
        ("not ready", vec![unready(first()), second()], [true, true, false]),
        ("terminating", vec![draining(first()), second()], [false, false, false]),
        ("none", vec![], [false, true, true]),
        ("none ready", vec![unready(first())], [false, true, true]),
    ];
    for (what, endpoints, expected) in cases {
        let mut index = dns_with(vec![first(), second()]);
        let rules = noted(&mut index, [serve(endpoints)]);
        assert_eq!(stale(&rules), expected, "{what}");
        assert_eq!(rules.is_empty(), what == "terminating");
    }
}

#[test]
fn a_flow_that_was_never_translated_ends_when_the_first_endpoint_appears() {
    let mut index = dns_with(vec![]);
    let rules = noted(&mut index, [serve(vec![elsewhere("10.0.0.1")])]);
    assert_eq!(stale(&rules), [true, false, true]);
    let mut index = index_without_service(vec![elsewhere("10.0.0.1")]);
    let rules = noted(&mut index, [Update::ServiceApplied(dns())]);
    assert_eq!(stale(&rules), [true, false, true], "the service came after its endpoints");
}

fn index_without_service(endpoints: Vec<Endpoint>) -> Index {
    index([serve(endpoints)])
}

#[test]
fn of_a_service_that_is_gone_only_flows_to_its_endpoints_end() {
    let mut index = dns_with(vec![here("10.0.0.1")]);
    let rules = noted(&mut index, [Update::ServiceDeleted(name("dns"))]);
    assert_eq!(stale(&rules), [false, true, false]);
    assert!(is_stale(&rules, "192.0.2.1:30053", FIRST));
}

#[test]
fn an_address_that_goes_to_another_service_is_judged_by_its_new_owner() {
    for names in [["a", "b"], ["b", "a"]] {
        let [loser, winner] = names.map(|it| Service { name: name(it), ..dns() });
        let mut slice = slice("winner", names[1], vec![here("10.0.0.2")]);
        slice.ports = vec![slice_port("", Protocol::Udp, 5353)];
        let mut old = slice.clone();
        old.name = name("loser");
        old.service = name(names[0]);
        old.endpoints = vec![here("10.0.0.1")];
        let mut index = index([
            Update::ServiceApplied(loser),
            Update::EndpointSliceApplied(slice),
            Update::EndpointSliceApplied(old),
        ]);
        let gone = Update::ServiceDeleted(name(names[0]));
        let rules = noted(&mut index, [gone, Update::ServiceApplied(winner)]);
        assert_eq!(stale(&rules), [true, true, false], "{names:?}");
    }
}

#[test]
fn only_flows_to_addresses_that_take_node_ports_are_judged_by_a_node_port() {
    let mut index = dns_with(vec![here("10.0.0.1")]);
    let rules = noted(&mut index, [serve(vec![here("10.0.0.2")])]);
    let listed = NodePortAddresses::Listed(ips(&["192.0.2.1"]));
    let local = ips(&["192.0.2.1", "192.0.2.2", "127.0.0.1"]);
    let cases = [
        (listed.clone(), false, [true, false, false, false]),
        (listed, true, [true, false, true, false]),
        (NodePortAddresses::Any, false, [true, true, false, false]),
        (NodePortAddresses::Any, true, [true, true, true, false]),
    ];
    for (node_ports_v4, localhost_node_ports, expected) in cases {
        let what = format!("{node_ports_v4:?} {localhost_node_ports}");
        let environment =
            Environment { node_ports_v4, localhost_node_ports, ..Environment::default() };
        let judge = FlowJudge::new(&rules, &environment, &local);
        let judged = ["192.0.2.1", "192.0.2.2", "127.0.0.1", "198.51.100.1"]
            .map(|node| judge.is_stale(flow(&format!("{node}:30053"), FIRST)));
        assert_eq!(judged, expected, "{what}");
        assert!(!judge.is_stale(flow("192.0.2.1:30054", FIRST)), "{what}");
    }
}

#[test]
fn policies_and_topology_end_no_flow() {
    let mut index = dns_with(vec![here("10.0.0.1"), elsewhere("10.0.0.2")]);
    let local = Service { internal_policy_local: true, external_policy_local: true, ..dns() };
    assert!(noted(&mut index, [Update::ServiceApplied(local)]).is_empty());
}

#[test]
fn flows_of_other_protocols_are_left_alone() {
    for protocol in [Protocol::Tcp, Protocol::Sctp] {
        let service = Service { ports: vec![node_port("", protocol, 53, 30053)], ..dns() };
        let mut slice = slice("dns-1", "dns", vec![here("10.0.0.1")]);
        slice.ports = vec![slice_port("", protocol, 5353)];
        let mut index =
            index([Update::ServiceApplied(service), Update::EndpointSliceApplied(slice)]);
        assert!(noted(&mut index, [Update::ServiceDeleted(name("dns"))]).is_empty());
    }
    let mut index = dns_with(vec![here("10.0.0.1")]);
    let rules = noted(&mut index, [serve(vec![here("10.0.0.2")])]);
    let judge = FlowJudge::new(&rules, &Environment::default(), &[]);
    for protocol in Protocol::ALL {
        let flow = TrackedFlow { protocol, ..flow(CLUSTER, FIRST) };
        assert_eq!(judge.is_stale(flow), protocol == Protocol::Udp, "{protocol}");
    }
}

#[test]
fn at_the_start_flows_of_every_owned_frontend_are_judged_and_no_others() {
    let index = dns_with(vec![here("10.0.0.1")]);
    let mut rules = FlowRules::default();
    rules.note_all(index.plans());
    assert_eq!(stale(&rules), [true, false, true]);
    assert!(!is_stale(&rules, "10.96.0.9:53", FIRST), "nobody's");
    let empty = dns_with(vec![]);
    let mut rules = FlowRules::default();
    rules.note_all(empty.plans());
    assert_eq!(stale(&rules), [false, true, true]);
}

#[test]
fn what_changed_before_is_not_forgotten_when_more_changes() {
    let mut index = dns_with(vec![here("10.0.0.1")]);
    let mut rules = noted(&mut index, [serve(vec![here("10.0.0.2")])]);
    rules.merge(noted(&mut index, [Update::ServiceDeleted(name("dns"))]));
    assert_eq!(stale(&rules), [false, true, true]);
    rules.merge(noted(&mut index, [Update::ServiceApplied(dns()), serve(vec![here("10.0.0.1")])]));
    assert_eq!(stale(&rules), [true, false, true], "the endpoint is back");
}

#[test]
fn families_are_apart() {
    let mut index = dns_with(vec![here("10.0.0.1")]);
    let rules = noted(&mut index, [serve(vec![])]);
    assert_eq!(rules.suspects(Family::V4, Protocol::Udp), Suspects::Everyone);
    assert_eq!(rules.suspects(Family::V4, Protocol::Tcp), Suspects::Nobody);
    assert_eq!(rules.suspects(Family::V6, Protocol::Udp), Suspects::Nobody);
}

#[test]
fn what_is_known_does_not_grow_without_end_while_nobody_can_look_at_flows() {
    let mut index = dns_with(vec![here("10.0.0.1")]);
    let mut rules = FlowRules::default();
    let mut sizes = Vec::new();
    for round in 0..60_u16 {
        // A thousand endpoints that were never there before.
        let [high, low] = (round + 1).to_be_bytes();
        let pods = (0..1000_u16).map(|pod| {
            let [c, d] = pod.to_be_bytes();
            here(&format!("10.{}.{c}.{d}", u16::from(high) * 256 + u16::from(low)))
        });
        rules.merge(noted(&mut index, [serve(pods.collect())]));
        sizes.push(format!("{rules:?}").len());
    }
    assert_eq!(sizes.last(), sizes.get(40), "it stays as it is");
}
