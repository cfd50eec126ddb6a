//! The table of a small cluster, as a golden file.

use std::net::IpAddr;

use portolan_core::{EndpointAddress, Family, ObjectName, Protocol, SessionAffinity, Traffic::*};

use super::*;

const ANY: Action = Action::Balance(Pool::Cluster);
const LOCAL: Action = Action::Balance(Pool::Local);

fn endpoints(count: u8) -> Vec<EndpointAddress> {
    let endpoint = |last| EndpointAddress { ip: IpAddr::from([10, 244, 0, last]), port: 8080 };
    (1..=count).map(endpoint).collect()
}

fn port(cluster: u8, local: u8, frontends: Vec<Frontend>) -> PortPlan {
    PortPlan {
        family: Family::V4,
        protocol: Protocol::Tcp,
        name: "".into(),
        cluster: endpoints(cluster),
        local: endpoints(local),
        hairpin: Vec::new(),
        serving: Vec::new(),
        when_endpoint_gone: WhenEndpointGone::Keep,
        affinity: None,
        source_ranges: None,
        frontends,
    }
}

fn frontend(
    destination: Destination,
    port: u16,
    traffic: Traffic,
    masquerade: Masquerade,
) -> Frontend {
    Frontend { destination, port, traffic, masquerade }
}

fn cluster_ip(address: &str, traffic: Traffic) -> Frontend {
    let destination = Destination::ClusterIp(address.parse().unwrap());
    frontend(destination, 80, traffic, Masquerade::UnlessLocalPod)
}

fn service(name: &str, ports: Vec<PortPlan>) -> ServicePlan {
    let name = ObjectName::new("shop", name);
    ServicePlan { name, ports, health_check: None, ipvs_scheduler: None }
}

fn cluster() -> Vec<ServicePlan> {
    let node_port =
        |traffic, masquerade| frontend(Destination::NodePort, 30080, traffic, masquerade);
    let load_balancer = Destination::LoadBalancerIp("192.0.2.10".parse().unwrap());
    let external = Destination::ExternalIp("198.51.100.7".parse().unwrap());
    let by_origin = ByOrigin { inside: ANY, outside: LOCAL };
    let v6 = PortPlan {
        family: Family::V6,
        protocol: Protocol::Udp,
        ..port(2, 0, vec![cluster_ip("fd00:10:96::1234:5678:9abc", Everyone(ANY))])
    };
    vec![
        service(
            "web",
            vec![
                port(
                    3,
                    0,
                    vec![
                        cluster_ip("10.96.0.10", Everyone(ANY)),
                        frontend(external, 80, Everyone(ANY), Masquerade::Always),
                        node_port(Everyone(ANY), Masquerade::Always),
                    ],
                ),
                v6,
            ],
        ),
        service(
            "empty",
            vec![port(0, 0, vec![cluster_ip("10.96.0.11", Everyone(Action::Reject))])],
        ),
        service(
            "node-local",
            vec![
                PortPlan {
                    when_endpoint_gone: WhenEndpointGone::Drop,
                    ..port(3, 1, vec![cluster_ip("10.96.0.12", Everyone(LOCAL))])
                },
                PortPlan {
                    when_endpoint_gone: WhenEndpointGone::Reset,
                    ..port(3, 0, vec![cluster_ip("10.96.0.13", Everyone(Action::Drop))])
                },
            ],
        ),
        ServicePlan {
            health_check: Some(HealthCheck { port: 32000, local_v4: Some(1), local_v6: Some(0) }),
            ipvs_scheduler: Some("mh,mh-port".parse().unwrap()),
            ..service(
                "a-service-with-a-name-that-is-rather-long",
                vec![PortPlan {
                    affinity: Some(SessionAffinity { timeout_seconds: 10800 }),
                    source_ranges: Some(vec!["203.0.113.0/24".parse().unwrap()]),
                    ..port(
                        3,
                        1,
                        vec![
                            frontend(load_balancer, 443, by_origin, Masquerade::ThisNode),
                            node_port(
                                ByOrigin { inside: ANY, outside: Action::Drop },
                                Masquerade::ThisNode,
                            ),
                        ],
                    )
                }],
            )
        },
    ]
}

#[test]
fn what_an_annotation_asks_for_stands_once_for_all_addresses_of_a_service() {
    let port = |address: &str| PortPlan {
        when_endpoint_gone: WhenEndpointGone::Reset,
        ..port(
            1,
            0,
            vec![
                cluster_ip(address, Everyone(ANY)),
                frontend(Destination::NodePort, 30080, Everyone(ANY), Masquerade::Always),
            ],
        )
    };
    let web = service("web", vec![port("10.96.0.10"), port("10.96.0.11")]);
    let text = plan_table([&web, &web.clone()], None).to_string();
    assert_eq!(text.matches("connections to gone endpoints are reset").count(), 2, "{text}");
}

#[test]
fn a_table_says_what_each_address_does() {
    let text = plan_table(&cluster(), None).to_string();
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(120), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn node_ports_of_ipv6_say_whether_they_are_on_the_loopback_address_too() {
    use portolan_agent::control::{LoopbackPort, LoopbackReport, PortState};

    let node_port = |number, family, protocol| PortPlan {
        family,
        protocol,
        ..port(
            1,
            0,
            vec![frontend(Destination::NodePort, number, Everyone(ANY), Masquerade::Always)],
        )
    };
    let loopback = |service, protocol, number, state, active| LoopbackPort {
        service: ObjectName::new("shop", service),
        protocol,
        port: number,
        state,
        active,
    };
    let plan = service(
        "web",
        vec![
            node_port(30001, Family::V4, Protocol::Tcp),
            node_port(30001, Family::V6, Protocol::Tcp),
            node_port(30001, Family::V6, Protocol::Udp),
            node_port(30001, Family::V6, Protocol::Sctp),
            node_port(30002, Family::V6, Protocol::Tcp),
            node_port(30003, Family::V6, Protocol::Tcp),
            node_port(30004, Family::V6, Protocol::Tcp),
        ],
    );
    let report = LoopbackReport {
        ports: vec![
            loopback("web", Protocol::Tcp, 30001, PortState::Open, 1),
            loopback("web", Protocol::Udp, 30001, PortState::Open, 25),
            loopback("web", Protocol::Tcp, 30002, PortState::Failed("in use".to_owned()), 0),
            loopback("web", Protocol::Tcp, 30003, PortState::Opening, 0),
            loopback("other", Protocol::Tcp, 30004, PortState::Open, 0),
        ],
        ..LoopbackReport::default()
    };
    insta::assert_snapshot!(plan_table([&plan], Some(&report)).to_string());
}

#[test]
fn no_name_forges_a_row_or_commands_the_terminal() {
    let frontends = vec![cluster_ip("10.96.0.10", Everyone(ANY))];
    let plan = service("x\nFAKE\u{1b}[31m\u{202e}", vec![port(1, 0, frontends)]);
    let text = plan_table([&plan], None).to_string();
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains(r"shop/x\nFAKE\u{1b}[31m\u{202e}  10.96.0.10"), "{text}");
}
