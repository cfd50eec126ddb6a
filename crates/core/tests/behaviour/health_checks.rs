//! What load balancers are told of a Service.

use portolan_core::{Endpoint, HealthCheck, Protocol, Service, ServiceType, Update};

use crate::support::*;

/// A Service of both families that load balancers ask for at port 32000.
fn balanced() -> Service {
    Service {
        service_type: ServiceType::LoadBalancer,
        external_policy_local: true,
        health_check_node_port: Some(32000),
        ..service("web", &[SAMPLES[0].cluster_ip, SAMPLES[1].cluster_ip])
    }
}

fn check(service: Service, slices: Vec<portolan_core::EndpointSlice>) -> Option<HealthCheck> {
    plan(service, slices).unwrap().health_check
}

/// The numbers of both families for IPv4 endpoints.
fn counted(endpoints: Vec<Endpoint>) -> (Option<usize>, Option<usize>) {
    let check = check(balanced(), vec![slice("web-1", "web", endpoints)]).unwrap();
    assert_eq!(check.port, 32000);
    (check.local_v4, check.local_v6)
}

#[test]
fn only_load_balancers_that_must_find_the_endpoints_have_a_health_check() {
    let types = [
        (ServiceType::ClusterIP, false),
        (ServiceType::NodePort, false),
        (ServiceType::LoadBalancer, true),
    ];
    for (service_type, fits) in types {
        for external_policy_local in [false, true] {
            for port in [None, Some(0), Some(32000)] {
                let service = Service {
                    service_type,
                    external_policy_local,
                    health_check_node_port: port,
                    ..balanced()
                };
                let expected = fits && external_policy_local && port == Some(32000);
                let found = check(service, vec![]).is_some();
                assert_eq!(found, expected, "{service_type:?} {external_policy_local} {port:?}");
            }
        }
    }
}

#[test]
fn only_ready_endpoints_of_this_node_count() {
    let both = |endpoint: Endpoint| {
        let mut endpoint = draining(endpoint);
        endpoint.conditions.ready = true;
        endpoint
    };
    let cases = [
        ("none", vec![], 0),
        ("ready", vec![here("10.0.1.1"), here("10.0.1.2")], 2),
        ("unready", vec![unready(here("10.0.1.1"))], 0),
        ("draining", vec![draining(here("10.0.1.1"))], 0),
        ("published while it terminates", vec![both(here("10.0.1.1"))], 1),
        ("elsewhere", vec![elsewhere("10.0.2.1")], 0),
        ("without a node", vec![nowhere("10.0.3.1")], 0),
        (
            "all together",
            vec![here("10.0.1.1"), draining(here("10.0.1.2")), elsewhere("10.0.2.1")],
            1,
        ),
    ];
    for (title, endpoints, expected) in cases {
        assert_eq!(counted(endpoints), (Some(expected), Some(0)), "{title}");
    }
}

#[test]
fn an_address_counts_once_over_all_ports() {
    let service = Service {
        ports: vec![port("http", Protocol::Tcp, 80), port("dns", Protocol::Udp, 53)],
        ..balanced()
    };
    let on = |number: &str, name, protocol, endpoints| {
        let ports = vec![slice_port(name, protocol, 8080)];
        portolan_core::EndpointSlice { ports, ..slice(number, "web", endpoints) }
    };
    let slices = vec![
        on("1", "http", Protocol::Tcp, vec![here("10.0.1.1"), unready(here("10.0.1.2"))]),
        on("2", "dns", Protocol::Udp, vec![here("10.0.1.1"), here("10.0.1.2")]),
        on("3", "other", Protocol::Tcp, vec![here("10.0.1.3")]),
    ];
    assert_eq!(check(service, slices).unwrap().local_v4, Some(2));
}

#[test]
fn each_family_that_is_served_has_its_own_number() {
    let slices = || {
        let [four, six] = &SAMPLES;
        vec![
            slice("four", "web", vec![here(four.here), here("10.0.1.9")]),
            slice("six", "web", vec![here(six.here)]),
        ]
    };
    let [four, six] = [SAMPLES[0].cluster_ip, SAMPLES[1].cluster_ip];
    let cases = [
        (vec![four, six], (Some(2), Some(1))),
        (vec![four], (Some(2), None)),
        (vec![six], (None, Some(1))),
    ];
    for (cluster_ips, expected) in cases {
        let service = Service { cluster_ips: ips(&cluster_ips), ..balanced() };
        let check = check(service, slices()).unwrap();
        assert_eq!((check.local_v4, check.local_v6), expected, "{cluster_ips:?}");
    }
}

#[test]
fn a_plan_changes_when_only_the_number_does() {
    // Draining, the only endpoint is the last resort and stays in both pools.
    let slice_of = |endpoint| Update::EndpointSliceApplied(slice("web-1", "web", vec![endpoint]));
    let mut index = index([Update::ServiceApplied(balanced()), slice_of(here(SAMPLES[0].here))]);
    let changes = apply(&mut index, slice_of(draining(here(SAMPLES[0].here))));
    let [change] = &changes[..] else { panic!("{changes:?}") };
    let (old, new) = (change.old.as_deref().unwrap(), change.new.as_deref().unwrap());
    assert_eq!(old.ports, new.ports);
    let numbers = [old, new].map(|plan| plan.health_check.unwrap().local_v4);
    assert_eq!(numbers, [Some(1), Some(0)]);
}
