//! Which TCP connections are ended when their endpoint is gone, and when they were begun too
//! early.

use portolan_core::backend::NodePortAddresses;
use portolan_core::flows::{FlowJudge, FlowRules, Suspects, TrackedFlow};
use portolan_core::{
    Endpoint, Environment, Family, Index, Protocol, Service, ServiceType, Update, WhenEndpointGone,
};

use crate::support::{
    address, draining, elsewhere, here, index, ips, name, node_port, service, slice, unready,
};

const CLUSTER: &str = "10.96.0.1:80";
const NODE_PORT: &str = "192.0.2.1:30080";
const FIRST: &str = "10.0.0.1:8080";
const SECOND: &str = "10.0.0.2:8080";

const ENDS: [WhenEndpointGone; 2] = [WhenEndpointGone::Drop, WhenEndpointGone::Reset];

/// TCP port 80 of 10.96.0.1, with NodePort 30080.
fn web(tcp_when_endpoint_gone: WhenEndpointGone) -> Service {
    Service {
        service_type: ServiceType::NodePort,
        ports: vec![node_port("", Protocol::Tcp, 80, 30080)],
        tcp_when_endpoint_gone,
        ..service("web", &["10.96.0.1"])
    }
}

fn serve(endpoints: Vec<Endpoint>) -> Update {
    Update::EndpointSliceApplied(slice("web-1", "web", endpoints))
}

fn web_with(when: WhenEndpointGone, endpoints: Vec<Endpoint>) -> Index {
    index([Update::ServiceApplied(web(when)), serve(endpoints)])
}

fn noted(index: &mut Index, updates: impl IntoIterator<Item = Update>) -> FlowRules {
    updates.into_iter().for_each(|update| index.apply(update));
    let mut rules = FlowRules::default();
    rules.note_changes(&index.take_changes());
    rules
}

fn is_stale(rules: &FlowRules, destination: &str, reply_source: &str, answered: bool) -> bool {
    let environment = Environment {
        node_ports_v4: NodePortAddresses::Listed(ips(&["192.0.2.1"])),
        ..Environment::default()
    };
    let (destination, reply_source) = (address(destination), address(reply_source));
    let protocol = Protocol::Tcp;
    let flow = TrackedFlow { protocol, destination, reply_source, answered };
    FlowJudge::new(rules, &environment, &[]).is_stale(flow)
}

/// Whether connections end that go to the first endpoint, and to the second.
fn ended(rules: &FlowRules) -> [bool; 2] {
    let ended = |to| [FIRST, SECOND].map(|endpoint| is_stale(rules, to, endpoint, true));
    assert_eq!(ended(CLUSTER), ended(NODE_PORT), "every frontend is treated alike");
    ended(CLUSTER)
}

fn suspects(rules: &FlowRules) -> Suspects {
    rules.suspects(Family::V4, Protocol::Tcp)
}

#[test]
fn a_connection_ends_when_its_endpoint_serves_no_longer_if_the_service_asks_for_it() {
    let (first, second) = (|| here("10.0.0.1"), || elsewhere("10.0.0.2"));
    let cases = [
        ("removed", vec![second()], [true, false]),
        ("not ready", vec![unready(first()), second()], [true, false]),
        ("terminating", vec![draining(first()), second()], [false, false]),
        ("none", vec![], [true, true]),
        ("none ready", vec![unready(first())], [true, true]),
    ];
    for (what, endpoints, expected) in cases {
        for when in ENDS {
            let mut index = web_with(when, vec![first(), second()]);
            let rules = noted(&mut index, [serve(endpoints.clone())]);
            assert_eq!(ended(&rules), expected, "{what}, {when:?}");
        }
        let mut index = web_with(WhenEndpointGone::Keep, vec![first(), second()]);
        let rules = noted(&mut index, [serve(endpoints)]);
        assert!(rules.is_empty(), "{what}: nothing is looked at for others");
    }
}

#[test]
fn no_connection_ends_that_is_not_translated() {
    for when in ENDS {
        let mut index = web_with(when, vec![here("10.0.0.1")]);
        for endpoints in [vec![here("10.0.0.2")], vec![]] {
            let rules = noted(&mut index, [serve(endpoints)]);
            assert!(!is_stale(&rules, NODE_PORT, NODE_PORT, true), "a program of this node");
        }
    }
}

#[test]
fn connections_of_a_deleted_service_are_kept() {
    for when in ENDS {
        let mut index = web_with(when, vec![here("10.0.0.1")]);
        let mut rules = noted(&mut index, [serve(vec![here("10.0.0.2")])]);
        assert_eq!(ended(&rules), [true, false]);
        rules.merge(noted(&mut index, [Update::ServiceDeleted(name("web"))]));
        assert_eq!(ended(&rules), [false, false]);
        assert_eq!(suspects(&rules), Suspects::Nobody);
    }
}

#[test]
fn the_annotation_counts_from_when_it_is_there_until_it_is_not() {
    use WhenEndpointGone::{Drop, Keep, Reset};
    for endpoints in [vec![], vec![here("10.0.0.2")]] {
        let mut index = web_with(Keep, vec![here("10.0.0.1")]);
        assert!(noted(&mut index, [serve(endpoints.clone())]).is_empty());
        let expected = [true, endpoints.is_empty()];
        let mut rules = noted(&mut index, [Update::ServiceApplied(web(Drop))]);
        assert_eq!(ended(&rules), expected, "what was kept before ends now");
        let same = noted(&mut index, [Update::ServiceApplied(web(Reset))]);
        assert!(same.is_empty(), "connections end in both cases");
        rules.merge(noted(&mut index, [Update::ServiceApplied(web(Keep))]));
        assert_eq!(ended(&rules), [false, false]);
        assert_eq!(suspects(&rules), Suspects::Nobody);
    }
}

#[test]
fn an_address_that_goes_to_another_service_is_judged_by_what_that_asks_for() {
    for (when, expected) in [(WhenEndpointGone::Keep, false), (WhenEndpointGone::Drop, true)] {
        let mut index = web_with(WhenEndpointGone::Reset, vec![here("10.0.0.1")]);
        let heir = Service { name: name("heir"), ..web(when) };
        let slice = slice("heir-1", "heir", vec![here("10.0.0.2")]);
        let updates = [
            Update::ServiceDeleted(name("web")),
            Update::ServiceApplied(heir),
            Update::EndpointSliceApplied(slice),
        ];
        let rules = noted(&mut index, updates);
        assert_eq!(ended(&rules), [expected, false], "{when:?}");
    }
}

#[test]
fn a_connection_that_was_begun_too_early_ends_when_its_frontend_appears() {
    for (when, endpoints) in
        [(WhenEndpointGone::Keep, vec![here("10.0.0.1")]), (WhenEndpointGone::Reset, vec![])]
    {
        let mut index = index([serve(endpoints)]);
        let rules = noted(&mut index, [Update::ServiceApplied(web(when))]);
        for frontend in [CLUSTER, NODE_PORT] {
            assert!(is_stale(&rules, frontend, frontend, false));
            assert!(!is_stale(&rules, frontend, frontend, true), "somebody answers");
            assert!(!is_stale(&rules, frontend, FIRST, false) || when == WhenEndpointGone::Reset);
        }
        assert!(!is_stale(&rules, "10.96.0.2:80", "10.96.0.2:80", false), "nobody's");
        assert!(!is_stale(&rules, "10.96.0.1:81", "10.96.0.1:81", false), "nobody's");
        let more = noted(&mut index, [serve(vec![here("10.0.0.1"), here("10.0.0.2")])]);
        assert!(!is_stale(&more, CLUSTER, CLUSTER, false), "nothing appears with endpoints");
    }
}

#[test]
fn no_frontend_appears_by_going_to_another_service() {
    let mut index = web_with(WhenEndpointGone::Keep, vec![here("10.0.0.1")]);
    let heir = Service { name: name("heir"), ..web(WhenEndpointGone::Keep) };
    let updates = [Update::ServiceDeleted(name("web")), Update::ServiceApplied(heir)];
    assert!(noted(&mut index, updates).is_empty());
}

#[test]
fn at_the_start_all_connections_are_looked_at_only_where_a_service_asks_for_it() {
    for (when, expected, suspected) in [
        (WhenEndpointGone::Keep, [false, false], Suspects::Unanswered),
        (WhenEndpointGone::Drop, [false, true], Suspects::Everyone),
        (WhenEndpointGone::Reset, [false, true], Suspects::Everyone),
    ] {
        let index = web_with(when, vec![here("10.0.0.1")]);
        let mut rules = FlowRules::default();
        rules.note_all(index.plans());
        assert_eq!(ended(&rules), expected, "{when:?}");
        assert_eq!(suspects(&rules), suspected, "{when:?}");
        assert_eq!(rules.suspects(Family::V6, Protocol::Tcp), Suspects::Nobody);
        assert!(is_stale(&rules, CLUSTER, CLUSTER, false), "{when:?}");
    }
}
