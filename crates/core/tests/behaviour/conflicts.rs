//! Two services that want the same address, protocol and port.

use portolan_core::{Destination, Index, Problem, Protocol, Service, Update};

use crate::support::*;

/// A Service of this age that wants NodePort 30080 and an external IP, with a ClusterIP
/// of its own.
fn claimant(service_name: &str, created: Option<i64>) -> Service {
    let number = service_name.bytes().next_back().unwrap();
    Service {
        created,
        ports: vec![port("own", Protocol::Udp, 53), node_port("shared", Protocol::Tcp, 80, 30080)],
        external_ips: ips(&["192.0.2.1"]),
        ..service(service_name, &[&format!("10.96.0.{number}")])
    }
}

/// The Service that has the shared external IP, after checking that it has the shared
/// NodePort too and that nobody else has either.
fn owner(index: &Index) -> String {
    let has = |destination: Destination| {
        let owners = index.plans().filter(|plan| {
            let mut shared = plan.ports.iter().filter(|port| &*port.name == "shared");
            shared.any(|port| destinations(port).contains(&destination))
        });
        owners.map(|plan| plan.name.name.to_string()).collect::<Vec<_>>()
    };
    let owners = has(Destination::NodePort);
    assert_eq!(owners, has(Destination::ExternalIp(ip("192.0.2.1"))));
    assert_eq!(owners.len(), 1);
    owners.concat()
}

fn problems(index: &Index) -> Vec<String> {
    let problems: Vec<String> = index.problems().iter().map(Problem::to_string).collect();
    assert_eq!(problems.len(), index.counts().problems);
    problems
}

#[test]
fn the_older_service_wins_then_the_first_by_name_and_an_unknown_age_loses() {
    let cases = [
        (("a", Some(2)), ("b", Some(1)), "b"),
        (("a", Some(1)), ("b", Some(2)), "a"),
        (("a", Some(1)), ("b", Some(1)), "a"),
        (("a", None), ("b", Some(i64::MAX)), "b"),
        (("a", None), ("b", None), "a"),
        (("a", Some(-5)), ("b", Some(0)), "a"),
    ];
    for (a, b, winner) in cases {
        let (a, b) = (claimant(a.0, a.1), claimant(b.0, b.1));
        let one = index([Update::ServiceApplied(a.clone()), Update::ServiceApplied(b.clone())]);
        let other = index([Update::ServiceApplied(b.clone()), Update::ServiceApplied(a.clone())]);
        assert_eq!(owner(&one), winner, "{:?} {:?}", a.created, b.created);
        assert!(one.plans().eq(other.plans()));
        assert_eq!(one.problems(), other.problems());
    }
}

#[test]
fn the_loser_is_told_the_field_and_the_winner_for_each_claim() {
    let index = index([
        Update::ServiceApplied(claimant("new", Some(2))),
        Update::ServiceApplied(claimant("old", Some(1))),
    ]);
    let lost = "is skipped: it belongs to Service shop/old, which is older";
    assert_eq!(
        problems(&index),
        [
            format!("Service shop/new: spec.externalIPs[0]: TCP port 80 of 192.0.2.1 {lost}"),
            format!("Service shop/new: spec.externalIPs[0]: UDP port 53 of 192.0.2.1 {lost}"),
            format!("Service shop/new: spec.ports[1].nodePort: IPv4 TCP node port 30080 {lost}"),
        ]
    );
}

#[test]
fn services_of_the_same_age_are_told_that_the_name_decides() {
    let index = index([
        Update::ServiceApplied(service("b", &["10.96.0.1"])),
        Update::ServiceApplied(service("a", &["10.96.0.1"])),
    ]);
    assert_eq!(
        problems(&index),
        ["Service shop/b: spec.clusterIPs[0]: TCP port 80 of 10.96.0.1 is skipped: \
          it belongs to Service shop/a, which comes first by name"]
    );
}

#[test]
fn the_loser_keeps_its_other_frontends() {
    let index = index([
        Update::ServiceApplied(claimant("a", Some(1))),
        Update::ServiceApplied(claimant("b", Some(2))),
    ]);
    let own = Destination::ClusterIp(ip("10.96.0.98"));
    let plan = index.plan(&name("b")).unwrap();
    assert!(plan.ports.iter().all(|port| destinations(port) == [own]), "{plan:?}");
    assert_eq!(plan.ports.len(), 2);
}

#[test]
fn a_service_that_loses_everything_has_no_plan() {
    let index = index([
        Update::ServiceApplied(service("a", &["10.96.0.1"])),
        Update::ServiceApplied(service("b", &["10.96.0.1"])),
    ]);
    assert_eq!(index.plan(&name("b")), None);
    assert_eq!(index.counts().services, 2);
}

#[test]
fn the_next_in_line_inherits_when_the_winner_goes() {
    let mut index = index([
        Update::ServiceApplied(claimant("a", Some(1))),
        Update::ServiceApplied(claimant("b", Some(2))),
        Update::ServiceApplied(claimant("c", Some(3))),
    ]);
    assert_eq!((owner(&index).as_str(), problems(&index).len()), ("a", 6));
    let changes = apply(&mut index, Update::ServiceDeleted(name("a")));
    assert_eq!(changes.len(), 2, "a goes and b inherits; c is not touched");
    assert_eq!((owner(&index).as_str(), problems(&index).len()), ("b", 3));
    apply(&mut index, Update::ServiceDeleted(name("b")));
    assert_eq!((owner(&index).as_str(), problems(&index).len()), ("c", 0));
}

#[test]
fn the_next_in_line_inherits_when_the_winner_drops_its_claim() {
    let mut index = index([
        Update::ServiceApplied(claimant("a", Some(1))),
        Update::ServiceApplied(claimant("b", Some(2))),
    ]);
    let modest = Service { created: Some(1), ..service("a", &["10.96.0.97"]) };
    assert_eq!(apply(&mut index, Update::ServiceApplied(modest)).len(), 2);
    assert_eq!((owner(&index).as_str(), problems(&index).len()), ("b", 0));
    assert_eq!(apply(&mut index, Update::ServiceApplied(claimant("a", Some(1)))).len(), 2);
    assert_eq!((owner(&index).as_str(), problems(&index).len()), ("a", 3));
}

#[test]
fn an_older_claimant_takes_over_and_gives_back() {
    let mut index = index([
        Update::ServiceApplied(claimant("b", Some(5))),
        Update::ServiceApplied(claimant("c", Some(6))),
    ]);
    apply(&mut index, Update::ServiceApplied(claimant("a", Some(1))));
    assert_eq!(owner(&index), "a");
    // Deleted and created again under the same name, it is the youngest.
    apply(&mut index, Update::ServiceApplied(claimant("a", Some(9))));
    assert_eq!(owner(&index), "b");
}

#[test]
fn a_loser_that_goes_touches_nobody_else() {
    let mut index = index([
        Update::ServiceApplied(claimant("a", Some(1))),
        Update::ServiceApplied(claimant("b", Some(2))),
    ]);
    let changes = apply(&mut index, Update::ServiceDeleted(name("b")));
    assert_eq!(changes.len(), 1);
    assert_eq!((owner(&index).as_str(), problems(&index).len()), ("a", 0));
}

#[test]
fn different_ports_or_protocols_of_one_address_are_no_conflict() {
    let with =
        |service_name, port| Service { ports: vec![port], ..service(service_name, &["10.96.0.1"]) };
    let index = index([
        Update::ServiceApplied(with("a", port("", Protocol::Tcp, 80))),
        Update::ServiceApplied(with("b", port("", Protocol::Udp, 80))),
        Update::ServiceApplied(with("c", port("", Protocol::Tcp, 81))),
    ]);
    assert_eq!(index.plans().count(), 3);
    assert_eq!(problems(&index), [""; 0]);
}

#[test]
fn node_ports_of_different_families_are_no_conflict() {
    let with = |service_name, address| Service {
        ports: vec![node_port("", Protocol::Tcp, 80, 30080)],
        ..service(service_name, &[address])
    };
    let index = index([
        Update::ServiceApplied(with("a", "10.96.0.1")),
        Update::ServiceApplied(with("b", "fd00:96::1")),
    ]);
    assert_eq!(problems(&index), [""; 0]);
}

/// A Service with a ClusterIP of its own, on which it is contested by nobody.
fn external(service_name: &str, created: i64, address: &str, balancer: bool) -> Service {
    let (load_balancer_ips, external_ips) =
        if balancer { (ips(&[address]), vec![]) } else { (vec![], ips(&[address])) };
    let own = service(service_name, &["10.96.0.2"]);
    Service { created: Some(created), load_balancer_ips, external_ips, ..own }
}

#[test]
fn a_cluster_ip_is_taken_by_no_external_address_however_old() {
    let shared = "10.96.0.1";
    for (balancer, field) in [(true, "status.loadBalancer.ingress"), (false, "spec.externalIPs[0]")]
    {
        let old = external("a", 1, shared, balancer);
        let new = Service { created: Some(2), ..service("b", &[shared]) };
        let index = index([Update::ServiceApplied(old), Update::ServiceApplied(new)]);
        let plan = index.plan(&name("b")).unwrap();
        assert_eq!(destinations(&plan.ports[0]), [Destination::ClusterIp(ip(shared))]);
        assert_eq!(
            problems(&index),
            [format!(
                "Service shop/a: {field}: TCP port 80 of {shared} is skipped: \
                 it belongs to Service shop/b, which has it as its ClusterIP"
            )]
        );
    }
}

#[test]
fn a_new_cluster_ip_displaces_an_external_address_which_returns_after_it() {
    let shared = "10.96.0.1";
    let served = |index: &Index, destination: Destination| {
        let plan = index.plan(&name("a")).unwrap();
        destinations(&plan.ports[0]).contains(&destination)
    };
    let mut index = index([Update::ServiceApplied(external("a", 1, shared, false))]);
    let destination = Destination::ExternalIp(ip(shared));
    assert!(served(&index, destination));
    let changes = apply(&mut index, Update::ServiceApplied(service("b", &[shared])));
    assert_eq!(changes.len(), 2);
    assert!(!served(&index, destination));
    assert_eq!(apply(&mut index, Update::ServiceDeleted(name("b"))).len(), 2);
    assert!(served(&index, destination));
}

#[test]
fn external_addresses_are_contested_whatever_the_field_they_stand_in() {
    let shared = "192.0.2.1";
    let index = index([
        Update::ServiceApplied(external("a", 1, shared, true)),
        Update::ServiceApplied(Service {
            cluster_ips: ips(&["10.96.0.3"]),
            ..external("b", 2, shared, false)
        }),
    ]);
    let problems = index.problems();
    let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["spec.externalIPs[0]"]);
}
