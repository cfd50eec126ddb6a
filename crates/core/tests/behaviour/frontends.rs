//! Where a Service can be reached.

use portolan_core::{
    Destination, Family, Index, Masquerade, NodeInfo, Problem, Protocol, Service, ServiceType,
    SessionAffinity, Update,
};

use crate::support::*;

fn problems_of(service: Service) -> Vec<String> {
    index([Update::ServiceApplied(service)]).problems().iter().map(Problem::to_string).collect()
}

#[test]
fn a_headless_service_is_not_planned() {
    let headless = service("web", &[]);
    assert_eq!(plan(headless.clone(), vec![slice("web-1", "web", vec![here("10.0.1.1")])]), None);
    assert_eq!(problems_of(headless), [""; 0]);
}

#[test]
fn an_external_name_is_not_planned_even_with_a_cluster_ip() {
    let service = Service {
        service_type: ServiceType::ExternalName,
        external_ips: ips(&["192.0.2.1"]),
        ..service("web", &["10.96.0.1"])
    };
    assert_eq!(plan(service.clone(), vec![slice("web-1", "web", vec![here("10.0.1.1")])]), None);
    assert_eq!(problems_of(service), [""; 0]);
}

#[test]
fn a_service_without_ports_is_not_planned() {
    assert_eq!(plan(Service { ports: vec![], ..service("web", &["10.96.0.1"]) }, vec![]), None);
}

#[test]
fn each_family_is_planned_with_its_own_addresses_and_endpoints() {
    let [v4, v6] = &SAMPLES;
    let web = Service {
        ports: vec![node_port("", Protocol::Tcp, 80, 30080)],
        external_ips: ips(&[v6.external_ip, v4.external_ip]),
        ..service("web", &[v6.cluster_ip, v4.cluster_ip])
    };
    let slices = SAMPLES.iter().map(|s| slice(s.here, "web", vec![here(s.here)])).collect();
    let plan = plan(web, slices).unwrap();
    let families: Vec<Family> = plan.ports.iter().map(|port| port.family).collect();
    assert_eq!(families, Family::BOTH);
    for (s, port) in SAMPLES.iter().zip(&plan.ports) {
        let expected = [
            Destination::ClusterIp(ip(s.cluster_ip)),
            Destination::ExternalIp(ip(s.external_ip)),
            Destination::NodePort,
        ];
        assert_eq!(destinations(port), expected);
        assert_eq!(cluster(port), on_8080(&[s.here]));
    }
}

#[test]
fn addresses_of_a_family_without_cluster_ip_are_skipped_and_reported() {
    let web = Service {
        external_ips: ips(&["192.0.2.1", "2001:db8::1"]),
        load_balancer_ips: ips(&["2001:db8::2"]),
        ..service("web", &["10.96.0.1"])
    };
    let port = only_port(web.clone(), vec![]);
    let expected =
        [Destination::ClusterIp(ip("10.96.0.1")), Destination::ExternalIp(ip("192.0.2.1"))];
    assert_eq!(destinations(&port), expected);
    assert_eq!(
        problems_of(web),
        [
            "Service shop/web: spec.externalIPs[1]: 2001:db8::1 is skipped: \
             the Service has no IPv6 ClusterIP",
            "Service shop/web: status.loadBalancer.ingress: 2001:db8::2 is skipped: \
             the Service has no IPv6 ClusterIP",
        ]
    );
}

#[test]
fn a_second_cluster_ip_of_a_family_is_skipped_and_reported() {
    let web = service("web", &["10.96.0.1", "10.96.0.2"]);
    let port = only_port(web.clone(), vec![]);
    assert_eq!(destinations(&port), [Destination::ClusterIp(ip("10.96.0.1"))]);
    assert_eq!(
        problems_of(web),
        ["Service shop/web: spec.clusterIPs[1]: 10.96.0.2 is skipped: \
          it is a second IPv4 ClusterIP"]
    );
}

#[test]
fn an_external_ip_that_means_the_node_itself_is_skipped_and_reported() {
    for (address, kind) in
        [("127.0.0.1", "loopback"), ("0.0.0.0", "unspecified"), ("169.254.1.1", "link-local")]
    {
        let web = Service { external_ips: ips(&[address]), ..service("web", &["10.96.0.1"]) };
        let port = only_port(web.clone(), vec![]);
        assert_eq!(destinations(&port), [Destination::ClusterIp(ip("10.96.0.1"))]);
        let expected =
            format!("Service shop/web: spec.externalIPs[0]: {address} is skipped: it is {kind}");
        assert_eq!(problems_of(web), [expected]);
    }
}

#[test]
fn an_address_that_is_given_twice_is_one_frontend() {
    let (cluster_ip, shared) = (ip("10.96.0.1"), ip("192.0.2.1"));
    let web = Service {
        service_type: ServiceType::LoadBalancer,
        external_ips: vec![shared, cluster_ip, shared],
        load_balancer_ips: vec![shared, cluster_ip],
        source_ranges: nets(&["198.51.100.0/24"]),
        ..service("web", &["10.96.0.1"])
    };
    let port = only_port(web.clone(), vec![]);
    // The load balancer's address, because its source ranges must hold.
    let expected = [Destination::ClusterIp(cluster_ip), Destination::LoadBalancerIp(shared)];
    assert_eq!(destinations(&port), expected);
    assert_eq!(problems_of(web), [""; 0]);
}

#[test]
fn a_node_port_is_served_whatever_the_type() {
    let web = Service {
        ports: vec![node_port("", Protocol::Tcp, 80, 30080)],
        ..service("web", &["10.96.0.1"])
    };
    let port = only_port(web, vec![]);
    assert_eq!(frontend(&port, Destination::NodePort).masquerade, Masquerade::Always);
}

#[test]
fn ports_come_by_family_protocol_and_number() {
    let web = Service {
        ports: vec![
            port("dns", Protocol::Udp, 53),
            port("alt", Protocol::Tcp, 8080),
            port("dns-tcp", Protocol::Tcp, 53),
            port("assoc", Protocol::Sctp, 53),
        ],
        ..service("web", &["fd00:96::1", "10.96.0.1"])
    };
    let plan = plan(web, vec![]).unwrap();
    let names: Vec<&str> = plan.ports.iter().map(|port| &*port.name).collect();
    assert_eq!(names, ["dns-tcp", "alt", "dns", "assoc", "dns-tcp", "alt", "dns", "assoc"]);
}

#[test]
fn the_first_of_two_ports_with_one_number_and_protocol_wins() {
    let web = Service {
        ports: vec![
            port("a", Protocol::Tcp, 80),
            node_port("b", Protocol::Tcp, 80, 30080),
            port("c", Protocol::Udp, 80),
        ],
        ..service("web", &["10.96.0.1"])
    };
    let plan = plan(web.clone(), vec![]).unwrap();
    let names: Vec<&str> = plan.ports.iter().map(|port| &*port.name).collect();
    assert_eq!(names, ["a", "c"]);
    assert_eq!(
        problems_of(web),
        ["Service shop/web: spec.ports[1].port: TCP 80 is skipped: an earlier port has it"]
    );
}

#[test]
fn the_first_of_two_ports_with_one_node_port_wins_and_the_other_keeps_its_cluster_ip() {
    let web = Service {
        ports: vec![
            node_port("z", Protocol::Tcp, 443, 30080),
            node_port("a", Protocol::Tcp, 80, 30080),
        ],
        ..service("web", &["10.96.0.1"])
    };
    let plan = plan(web.clone(), vec![]).unwrap();
    let cluster_ip = Destination::ClusterIp(ip("10.96.0.1"));
    assert_eq!(destinations(&plan.ports[0]), [cluster_ip]);
    assert_eq!(destinations(&plan.ports[1]), [cluster_ip, Destination::NodePort]);
    assert_eq!(
        problems_of(web),
        ["Service shop/web: spec.ports[1].nodePort: IPv4 TCP node port 30080 is skipped: \
          an earlier port has it"]
    );
}

#[test]
fn source_ranges_are_those_of_the_family_for_a_load_balancer() {
    let web = |ranges: &[&str], balancers: &[&str]| Service {
        service_type: ServiceType::LoadBalancer,
        load_balancer_ips: ips(balancers),
        source_ranges: nets(ranges),
        ..service("web", &["10.96.0.1"])
    };
    type Case<'a> = (&'a [&'a str], &'a [&'a str], Option<&'a [&'a str]>);
    let cases: [Case<'_>; 9] = [
        (
            &["198.51.100.7/24", "192.0.2.0/24", "2001:db8::/32", "192.0.2.0/24"],
            &["203.0.113.1"],
            Some(&["192.0.2.0/24", "198.51.100.0/24"]),
        ),
        (&["192.0.2.0/24", "0.0.0.0/0"], &["203.0.113.1"], None),
        (&["192.0.2.0/24", "::/0"], &["203.0.113.1"], Some(&["192.0.2.0/24"])),
        (&["192.0.2.0/25", "192.0.2.128/25"], &["203.0.113.1"], Some(&["192.0.2.0/24"])),
        (&["2001:db8::/32"], &["203.0.113.1"], Some(&[])),
        (&["2001:db8::/32", "0.0.0.0/0"], &["203.0.113.1"], None),
        (&["::/0"], &["203.0.113.1"], None),
        (&["2001:db8::/32", "::/0"], &["203.0.113.1"], None),
        (&["192.0.2.0/24"], &[], None),
    ];
    for (ranges, balancers, expected) in cases {
        let port = only_port(web(ranges, balancers), vec![]);
        assert_eq!(port.source_ranges, expected.map(nets), "{ranges:?} {balancers:?}");
    }
}

#[test]
fn ranges_that_admit_the_node_admit_the_load_balancers_addresses_as_sources() {
    let web = Service {
        service_type: ServiceType::LoadBalancer,
        load_balancer_ips: ips(&["203.0.113.1"]),
        source_ranges: nets(&["192.0.2.0/24"]),
        ..service("web", &["10.96.0.1"])
    };
    let mut index = Index::new(NODE);
    index.apply(Update::ServiceApplied(web));
    let expected: [(&str, &[&str]); 3] = [
        ("198.51.100.1", &["192.0.2.0/24"]),
        ("192.0.2.7", &["192.0.2.0/24", "203.0.113.1/32"]),
        ("198.51.100.1", &["192.0.2.0/24"]),
    ];
    for (node, ranges) in expected {
        let node = NodeInfo { addresses: ips(&[node]), ..NodeInfo::default() };
        index.apply(Update::NodeApplied(node));
        assert!(!index.take_changes().is_empty());
        let plan = index.plans().next().unwrap();
        assert_eq!(plan.ports[0].source_ranges, Some(nets(ranges)));
    }
}

#[test]
fn ranges_that_admit_the_node_admit_a_load_balancers_address_that_an_older_service_has() {
    let web = Service {
        service_type: ServiceType::LoadBalancer,
        load_balancer_ips: ips(&["203.0.113.1", "203.0.113.9", "2001:db8::9"]),
        source_ranges: nets(&["192.0.2.0/24"]),
        ..service("web", &["10.96.0.1"])
    };
    let older = Service {
        created: Some(-1),
        external_ips: ips(&["203.0.113.9"]),
        ..service("older", &["10.96.0.2"])
    };
    let mut index = Index::new(NODE);
    let node = NodeInfo { addresses: ips(&["192.0.2.7"]), ..NodeInfo::default() };
    index.apply(Update::NodeApplied(node));
    index.apply(Update::ServicesReset(vec![older, web]));
    index.take_changes();
    let plan = index.plans().find(|plan| &*plan.name.name == "web").unwrap();
    let expected = nets(&["192.0.2.0/24", "203.0.113.1/32", "203.0.113.9/32"]);
    assert_eq!(plan.ports[0].source_ranges, Some(expected));
    assert_eq!(plan.ports[0].frontends.len(), 2, "its ClusterIP and one address");
}

#[test]
fn session_affinity_is_handed_on_to_every_port() {
    let affinity = Some(SessionAffinity { timeout_seconds: 10_800 });
    let web = Service {
        session_affinity: affinity,
        ports: vec![port("a", Protocol::Tcp, 80), port("b", Protocol::Udp, 53)],
        ..service("web", &["10.96.0.1"])
    };
    let plan = plan(web, vec![]).unwrap();
    assert!(plan.ports.iter().all(|port| port.affinity == affinity));
}

#[test]
fn a_fresh_index_has_nothing_to_say() {
    let mut index = Index::new(NODE);
    assert!(index.take_changes().is_empty());
    assert_eq!(index.plans().count(), 0);
    assert!(!index.is_complete());
    assert_eq!(index.node(), None);
}
