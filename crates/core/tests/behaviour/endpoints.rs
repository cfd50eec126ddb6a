//! Which endpoints the slices of a Service give.

use portolan_core::{
    Conditions, Endpoint, EndpointSlice, Index, Problem, Protocol, Service, ServiceType, Update,
};

use crate::support::*;

const WEB: [&str; 1] = ["10.96.0.1"];

/// The Cluster pool of a Service with these slices.
fn pool(slices: Vec<EndpointSlice>) -> Vec<String> {
    cluster(plan(service("web", &WEB), slices).unwrap().ports.first().unwrap())
}

#[test]
fn slices_of_one_service_are_put_together_in_the_order_of_addresses() {
    let slices = vec![
        slice("web-b", "web", vec![here("10.0.0.10"), here("10.0.0.9")]),
        slice("web-a", "web", vec![here("10.0.0.100"), here("9.0.0.1")]),
    ];
    assert_eq!(pool(slices), on_8080(&["9.0.0.1", "10.0.0.9", "10.0.0.10", "10.0.0.100"]));
}

#[test]
fn slices_of_other_services_are_left_alone() {
    let slices = vec![
        slice("web-a", "web", vec![here("10.0.0.1")]),
        slice("web-b", "other", vec![here("10.0.0.2")]),
    ];
    assert_eq!(pool(slices), on_8080(&["10.0.0.1"]));
}

#[test]
fn a_thousand_endpoints_in_ten_slices_are_all_there() {
    let addresses: Vec<String> =
        (0..1000).map(|i| format!("10.1.{}.{}", i / 250, i % 250 + 1)).collect();
    let slices = addresses.chunks(100).enumerate().map(|(i, chunk)| {
        slice(&format!("web-{i}"), "web", chunk.iter().map(|a| elsewhere(a)).collect())
    });
    let expected: Vec<&str> = addresses.iter().map(String::as_str).collect();
    assert_eq!(pool(slices.collect()), on_8080(&expected));
}

#[test]
fn an_endpoint_in_two_slices_counts_once() {
    type State = fn(Endpoint) -> Endpoint;
    let ready: State = |endpoint| endpoint;
    let states: [(&str, State); 3] =
        [("ready", ready), ("draining", draining), ("unready", unready)];
    for (first, a) in states {
        for (second, b) in states {
            let slices = vec![
                slice("web-a", "web", vec![a(here("10.0.0.1"))]),
                slice("web-b", "web", vec![b(here("10.0.0.1"))]),
            ];
            // The last one that is not terminating counts, else the first one.
            let effective = if second == "draining" { first } else { second };
            let usable = if effective == "unready" { vec![] } else { on_8080(&["10.0.0.1"]) };
            assert_eq!(pool(slices), usable, "{first}, then {second}");
        }
    }
}

#[test]
fn the_order_of_slices_is_that_of_their_names_not_of_their_arrival() {
    let ready = slice("web-a", "web", vec![here("10.0.0.1")]);
    let unready = slice("web-b", "web", vec![unready(here("10.0.0.1"))]);
    assert_eq!(pool(vec![ready.clone(), unready.clone()]), on_8080(&[]));
    assert_eq!(pool(vec![unready, ready]), on_8080(&[]));
}

#[test]
fn ports_match_by_name_and_protocol_whatever_their_number() {
    let web = Service {
        ports: vec![
            port("http", Protocol::Tcp, 80),
            port("http3", Protocol::Udp, 80),
            port("metrics", Protocol::Tcp, 9090),
        ],
        ..service("web", &WEB)
    };
    let endpoints = EndpointSlice {
        ports: vec![
            slice_port("metrics", Protocol::Tcp, 80),
            slice_port("http", Protocol::Tcp, 8080),
            slice_port("http", Protocol::Udp, 1),
            slice_port("http3", Protocol::Udp, 8443),
            slice_port("", Protocol::Tcp, 2),
        ],
        ..slice("web-a", "web", vec![here("10.0.0.1")])
    };
    let plan = plan(web, vec![endpoints]).unwrap();
    let pools: Vec<Vec<String>> = plan.ports.iter().map(cluster).collect();
    assert_eq!(pools, [["10.0.0.1:8080"], ["10.0.0.1:80"], ["10.0.0.1:8443"]]);
}

#[test]
fn slices_may_map_one_port_to_different_numbers() {
    let moved = EndpointSlice {
        ports: vec![slice_port("", Protocol::Tcp, 9000)],
        ..slice("web-b", "web", vec![here("10.0.0.1")])
    };
    let slices = vec![slice("web-a", "web", vec![here("10.0.0.1")]), moved];
    assert_eq!(pool(slices), ["10.0.0.1:8080", "10.0.0.1:9000"]);
}

#[test]
fn an_endpoint_that_is_published_though_not_ready_takes_connections_while_it_terminates() {
    let conditions = Conditions { ready: true, serving: false, terminating: true };
    let published = Endpoint { conditions, ..here("10.0.0.1") };
    let endpoints = vec![published, here("10.0.0.2"), draining(here("10.0.0.3"))];
    let slices = vec![slice("web-a", "web", endpoints)];
    assert_eq!(pool(slices), on_8080(&["10.0.0.1", "10.0.0.2"]));
}

#[test]
fn terminating_endpoints_serve_only_when_no_other_is_ready() {
    let both = vec![draining(here("10.0.0.1")), draining(elsewhere("10.0.0.2"))];
    assert_eq!(pool(vec![slice("web-a", "web", both.clone())]), on_8080(&["10.0.0.1", "10.0.0.2"]));
    let with_ready = [both, vec![elsewhere("10.0.0.3")]].concat();
    assert_eq!(pool(vec![slice("web-a", "web", with_ready)]), on_8080(&["10.0.0.3"]));
}

#[test]
fn endpoints_of_the_wrong_family_and_special_addresses_are_skipped_and_reported() {
    let endpoints = ["10.0.0.1", "fd00::1", "127.0.0.1", "0.0.0.0", "10.0.0.2"];
    let broken = slice("web-a", "web", endpoints.map(here).to_vec());
    assert_eq!(pool(vec![broken.clone()]), on_8080(&["10.0.0.1", "10.0.0.2"]));

    let index = index([Update::EndpointSliceApplied(broken)]);
    let problems: Vec<String> = index.problems().iter().map(Problem::to_string).collect();
    assert_eq!(
        problems,
        [
            "EndpointSlice shop/web-a: endpoints[1].addresses[0]: fd00::1 is skipped: \
             the slice is for IPv4 addresses",
            "EndpointSlice shop/web-a: endpoints[2].addresses[0]: 127.0.0.1 is skipped: \
             it is loopback",
            "EndpointSlice shop/web-a: endpoints[3].addresses[0]: 0.0.0.0 is skipped: \
             it is unspecified",
        ]
    );
}

#[test]
fn hairpin_lists_reachable_endpoints_that_are_or_may_be_on_this_node() {
    let endpoints = vec![
        here("10.0.0.4"),
        nowhere("10.0.0.3"),
        elsewhere("10.0.0.2"),
        unready(here("10.0.0.1")),
        draining(here("10.0.0.5")),
    ];
    let port = only_port(service("web", &WEB), endpoints);
    assert_eq!(port.hairpin, ips(&["10.0.0.3", "10.0.0.4"]));
}

#[test]
fn hairpin_lists_endpoints_of_either_pool_once() {
    let web = Service { internal_policy_local: true, external_policy_local: true, ..nodeport() };
    let endpoints = vec![elsewhere("10.0.0.2"), draining(here("10.0.0.1"))];
    let port = only_port(web, endpoints);
    assert_eq!(cluster(&port), on_8080(&["10.0.0.2"]));
    assert_eq!(local(&port), on_8080(&["10.0.0.1"]));
    assert_eq!(port.hairpin, ips(&["10.0.0.1"]));
}

#[test]
fn an_endpoint_that_names_no_node_is_not_local() {
    let web = Service { internal_policy_local: true, ..nodeport() };
    let port = only_port(web, vec![nowhere("10.0.0.1")]);
    assert_eq!(local(&port), on_8080(&[]));
}

fn nodeport() -> Service {
    let ports = vec![node_port("", Protocol::Tcp, 80, 30080)];
    Service { ports, service_type: ServiceType::NodePort, ..service("web", &WEB) }
}

#[test]
fn zone_hints_narrow_the_cluster_pool_but_not_the_local_one() {
    let web = Service { internal_policy_local: true, ..nodeport() };
    let endpoints = vec![hinted(here("10.0.0.1"), "a"), hinted(elsewhere("10.0.0.2"), "b")];
    let index = index([
        Update::NodeApplied(node_in("b")),
        Update::ServiceApplied(web),
        Update::EndpointSliceApplied(slice("web-a", "web", endpoints)),
    ]);
    let port = &index.plan(&name("web")).unwrap().ports[0];
    assert_eq!(cluster(port), on_8080(&["10.0.0.2"]));
    assert_eq!(local(port), on_8080(&["10.0.0.1"]));
}

#[test]
fn an_endpoint_with_an_empty_node_name_is_local_to_no_node() {
    let endpoint = Endpoint { node_name: Some("".into()), ..nowhere("10.0.0.1") };
    let web = Service { internal_policy_local: true, ..nodeport() };
    let mut index = Index::new("");
    index.apply(Update::ServiceApplied(web));
    index.apply(Update::EndpointSliceApplied(slice("web-a", "web", vec![endpoint])));
    index.take_changes();
    assert_eq!(local(&index.plan(&name("web")).unwrap().ports[0]), on_8080(&[]));
}
