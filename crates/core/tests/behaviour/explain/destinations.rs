//! Whose an address and port are, and what is said where they are nobody's.

use super::*;

#[test]
fn who_wanted_the_same_address_is_said() {
    let thief = Service {
        created: Some(1),
        external_ips: ips(&["10.96.0.1"]),
        ..service("thief", &["10.96.0.2"])
    };
    let index = index(web_and_slice().into_iter().chain([Update::ServiceApplied(thief)]));
    let explanation = packet(&index, from(ClientKind::Pod), "10.96.0.1", 80);
    let found = frontend(&explanation);
    assert_eq!(found.service, name("web"));
    let lost: Vec<_> = found.lost.iter().map(ToString::to_string).collect();
    let expected = "Service shop/thief: spec.externalIPs[0]: TCP port 80 of 10.96.0.1 is skipped: \
                    it belongs to Service shop/web, which has it as its ClusterIP";
    assert_eq!(lost, [expected]);
    let problems: Vec<_> = of_service(&index, "thief").problems;
    assert_eq!(problems.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
}

#[test]
fn what_the_kernel_was_not_given_yet_is_not_taken_for_granted() {
    let mut index = index(web_and_slice());
    index.apply(Update::EndpointSliceApplied(slice(
        "web-1",
        "web",
        vec![here("10.0.0.1"), here("10.0.0.2")],
    )));
    index.apply(Update::ServiceApplied(service("new", &["10.96.0.9"])));
    let explanation = packet(&index, from(ClientKind::Pod), "10.96.0.1", 80);
    let found = frontend(&explanation);
    assert!(found.pending);
    let left_out: Vec<_> = found.choices[0].left_out.iter().map(|it| &it.because).collect();
    assert_eq!(left_out, [&WhyNot::Pending]);
    let explanation = packet(&index, from(ClientKind::Pod), "10.96.0.9", 80);
    assert_eq!(explanation.near[0].why, Near::Pending);

    // The plan that the kernel has outlives the Service by a moment.
    index.apply(Update::ServiceDeleted(name("web")));
    let explanation = packet(&index, from(ClientKind::Pod), "10.96.0.1", 80);
    assert_eq!(frontend(&explanation).service, name("web"));
    assert_eq!(outcomes(&explanation), [(vec!["pod"], "Cluster LocalPod".to_owned())]);
    index.take_changes();
    let explanation = packet(&index, from(ClientKind::Pod), "10.96.0.1", 80);
    let network = "10.96.0.0/16".parse().unwrap();
    assert_eq!(explanation.found, Found::ServiceCidr(network));
    assert_eq!(explanation.outcomes[0].verdict, Verdict::Drop(DropReason::ServiceCidr(network)));
}

#[test]
fn an_address_and_port_that_nobody_has_is_explained_too() {
    let with_node_port = Service {
        ports: vec![node_port("", Protocol::Tcp, 80, 30080)],
        ..service("web", &["10.96.0.1"])
    };
    let external = Service {
        service_type: ServiceType::ExternalName,
        external_ips: ips(&["198.51.100.1"]),
        ..service("external", &[])
    };
    let no_cluster_ip = Service { external_ips: ips(&["198.51.100.2"]), ..service("bare", &[]) };
    let index = index([with_node_port, external, no_cluster_ip].map(Update::ServiceApplied));
    let other_ports = Near::OtherPorts(vec![(Protocol::Tcp, 80)]);
    let takes = NodePortAddresses::Listed(ips(&["192.0.2.10"]));
    let cases = [
        ("10.96.0.1", 81, "UnknownPort", Some(other_ports)),
        ("10.96.0.2", 80, "ServiceCidr", None),
        ("192.0.2.11", 30080, "Pass", Some(Near::NodePortElsewhere(takes))),
        ("192.0.2.10", 30081, "Pass", None),
        ("198.51.100.1", 80, "Pass", Some(Near::ExternalName)),
        ("198.51.100.9", 80, "Pass", None),
    ];
    for (address, port, verdict, near) in cases {
        let explanation = packet(&index, Client::default(), address, port);
        let said = outcomes(&explanation);
        assert_eq!(said.len(), 1, "{address} {said:?}");
        assert!(said[0].1.starts_with(verdict), "{address} {said:?}");
        let found: Vec<_> = explanation.near.into_iter().map(|it| it.why).collect();
        assert_eq!(found, Vec::from_iter(near), "{address}");
    }
    let explanation = packet(&index, Client::default(), "198.51.100.2", 80);
    let Near::Refused(problem) = &explanation.near[0].why else { panic!("{explanation:?}") };
    assert!(problem.reason.contains("no IPv4 ClusterIP"), "{problem}");
}

#[test]
fn node_ports_on_loopback_are_this_nodes_alone() {
    let service = Service {
        ports: vec![node_port("", Protocol::Tcp, 80, 30080)],
        ..service("web", &["10.96.0.1", "fd00:96::1"])
    };
    let index = index([
        Update::ServiceApplied(service),
        Update::EndpointSliceApplied(slice("web-1", "web", vec![here("10.0.0.1")])),
        Update::EndpointSliceApplied(slice("web-2", "web", vec![here("fd00:1::1")])),
    ]);
    let asked_for = Environment { localhost_node_ports: true, ..environment() };
    let cases = [
        (&asked_for, "127.0.0.1", ["Cluster PolicyCluster", "Loopback"]),
        (&environment(), "127.0.0.1", ["Pass", "Pass"]),
        (&asked_for, "::1", ["Relay", "Pass"]),
        (&environment(), "::1", ["Pass", "Pass"]),
    ];
    for (environment, address, expected) in cases {
        for (kind, expected) in [ClientKind::Node, ClientKind::Outside].into_iter().zip(expected) {
            let explanation = packet_in(&index, environment, from(kind), address, 30080);
            let said = outcomes(&explanation);
            assert_eq!(said.len(), 1, "{address} {kind:?} {said:?}");
            assert_eq!(said[0].1, expected, "{address} {kind:?}");
        }
    }
}
