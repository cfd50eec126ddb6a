//! What is said of packets. That it is true is for the differential test of the backends.

use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_core::explain::{
    Client, ClientKind, DropReason, Explained, Explanation, Found, FoundFrontend, Near, NodeView,
    Origin, Packet, Pick, Question, Rule, ServiceExplanation, SourceReason, Unserved, Verdict,
    WhyNot,
};
use portolan_core::{
    Conditions, Endpoint, Environment, Index, IpvsScheduler, Pool, Protocol, Service, ServiceType,
    SessionAffinity, Update,
};

use crate::support::{
    draining, elsewhere, here, hinted, index, ip, ips, name, nets, node_in, node_port, nowhere,
    service, slice, slice_port, unready, web_and_slice,
};

const PODS: &str = "10.0.0.0/24";

/// A node with the address 192.0.2.10, which takes NodePorts, and one that does not.
fn environment() -> Environment {
    Environment {
        service_cidrs: nets(&["10.96.0.0/16"]),
        node_ports_v4: NodePortAddresses::Listed(ips(&["192.0.2.10"])),
        local_pods_v4: LocalPods::Source(PODS.parse().unwrap()),
        ..Environment::default()
    }
}

fn ask(index: &Index, environment: &Environment, question: &Question) -> Explained {
    let addresses = ips(&["192.0.2.10", "192.0.2.11"]);
    let node = NodeView {
        environment,
        addresses: &addresses,
        masquerade_all: false,
        ipvs_scheduler: None,
    };
    index.explain(&node, question)
}

fn packet(index: &Index, client: Client, destination: &str, port: u16) -> Explanation {
    packet_in(index, &environment(), client, destination, port)
}

fn packet_in(
    index: &Index,
    environment: &Environment,
    client: Client,
    destination: &str,
    port: u16,
) -> Explanation {
    let packet = Packet { client, protocol: Protocol::Tcp, destination: ip(destination), port };
    match ask(index, environment, &Question::Packet(packet)) {
        Explained::Packet(explanation) => *explanation,
        other @ Explained::Service(_) => panic!("{other:?}"),
    }
}

fn of_service(index: &Index, service: &str) -> ServiceExplanation {
    let question = Question::Service { name: name(service), client: Client::default() };
    match ask(index, &environment(), &question) {
        Explained::Service(explanation) => *explanation,
        other @ Explained::Packet(_) => panic!("{other:?}"),
    }
}

fn from(kind: ClientKind) -> Client {
    Client { kind: Some(kind), ..Client::default() }
}

fn at(address: &str) -> Client {
    Client { address: Some(ip(address)), ..Client::default() }
}

fn frontend(explanation: &Explanation) -> &FoundFrontend {
    match &explanation.found {
        Found::Frontend(found) => found,
        other => panic!("{other:?}"),
    }
}

/// Whose packets each outcome is about, and what becomes of them in a word.
fn outcomes(explanation: &Explanation) -> Vec<(Vec<&'static str>, String)> {
    let who = |origin: &Origin| match (origin.local_pod, origin.node) {
        (true, true) => "node as pod",
        (true, false) => "pod",
        (false, true) => "node",
        (false, false) => "other",
    };
    let outcomes = explanation.outcomes.iter();
    outcomes.map(|it| (it.clients.iter().map(who).collect(), word(&it.verdict))).collect()
}

fn word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Balance { pool, source, .. } => format!("{pool:?} {source:?}"),
        Verdict::Relay { .. } => "Relay".to_owned(),
        Verdict::Reject(reason) => format!("{reason:?}"),
        Verdict::Drop(reason) => format!("{reason:?}"),
        Verdict::Pass => "Pass".to_owned(),
    }
}

fn web(endpoints: Vec<Endpoint>) -> Index {
    index([
        Update::ServiceApplied(service("web", &["10.96.0.1"])),
        Update::EndpointSliceApplied(slice("web-1", "web", endpoints)),
        Update::NodeApplied(node_in("near")),
    ])
}

#[test]
fn every_endpoint_that_does_not_count_has_its_reason() {
    let stopped = |endpoint| Endpoint {
        conditions: Conditions { ready: false, serving: false, terminating: true },
        ..endpoint
    };
    let far = hinted(elsewhere("10.0.1.5"), "far");
    let cases = [
        (vec![here("10.0.0.1"), unready(here("10.0.0.2"))], Rule::Ready, WhyNot::NotReady),
        (vec![here("10.0.0.1"), draining(here("10.0.0.2"))], Rule::Ready, WhyNot::Terminating),
        (vec![here("10.0.0.1"), stopped(here("10.0.0.2"))], Rule::Ready, WhyNot::StoppedServing),
        (
            vec![draining(here("10.0.0.1")), unready(here("10.0.0.2"))],
            Rule::Draining,
            WhyNot::NotReady,
        ),
        (
            vec![hinted(here("10.0.0.1"), "near"), far],
            Rule::HintedForZone("near".to_owned()),
            WhyNot::HintedForZones(vec!["far".into()]),
        ),
    ];
    for (endpoints, rule, why) in cases {
        let explanation = packet(&web(endpoints), from(ClientKind::Pod), "10.96.0.1", 80);
        let choice = &frontend(&explanation).choices[0];
        assert_eq!(choice.rule.as_ref(), Some(&rule));
        let left_out: Vec<_> = choice.left_out.iter().map(|it| &it.because).collect();
        assert_eq!(left_out, [&why], "{rule:?}");
        assert_eq!(choice.taken.len(), 1, "{rule:?}");
    }
}

#[test]
fn under_the_policy_local_other_nodes_are_the_reason() {
    let local = Service { internal_policy_local: true, ..service("web", &["10.96.0.1"]) };
    let endpoints = vec![
        here("10.0.0.1"),
        elsewhere("10.0.1.1"),
        nowhere("10.0.2.1"),
        unready(here("10.0.0.2")),
    ];
    let index = index([
        Update::ServiceApplied(local),
        Update::EndpointSliceApplied(slice("web-1", "web", endpoints)),
    ]);
    let explanation = packet(&index, from(ClientKind::Pod), "10.96.0.1", 80);
    let choice = &frontend(&explanation).choices[0];
    assert_eq!((choice.pool, choice.rule.clone()), (Pool::Local, Some(Rule::ReadyHere)));
    let why: Vec<_> = choice.left_out.iter().map(|it| it.because.clone()).collect();
    assert_eq!(why, [WhyNot::NotReady, WhyNot::OtherNode, WhyNot::NoNode]);
}

#[test]
fn a_port_that_no_slice_has_is_met_with_those_they_have() {
    let mut other = slice("web-1", "web", vec![here("10.0.0.1")]);
    other.ports = vec![slice_port("http", Protocol::Tcp, 8080)];
    let index = index([
        Update::ServiceApplied(service("web", &["10.96.0.1"])),
        Update::EndpointSliceApplied(other),
    ]);
    let explanation = packet(&index, from(ClientKind::Pod), "10.96.0.1", 80);
    let choice = &frontend(&explanation).choices[0];
    let ports: Vec<_> = choice.other_ports.iter().map(|it| (&*it.name, it.port)).collect();
    assert_eq!((choice.rule.clone(), ports), (None, vec![("http", 8080)]));
    assert_eq!(outcomes(&explanation), [(vec!["pod"], "NoEndpoint".to_owned())]);
}

#[test]
fn whoever_says_little_of_the_client_hears_of_each_possibility() {
    let pod_interface = LocalPods::Interface("cni0".to_owned());
    let by_interface = Environment { local_pods_v4: pod_interface, ..environment() };
    let nothing = Environment { local_pods_v4: LocalPods::Unknown, ..environment() };
    let by_address = environment();
    let index = web(vec![here("10.0.0.1")]);
    let on =
        |interface: &str| Client { interface: Some(interface.to_owned()), ..Client::default() };
    let pod = || (vec!["pod"], "Cluster LocalPod".to_owned());
    let others = |who: &[&'static str]| (who.to_vec(), "Cluster NotLocalPod".to_owned());
    let unknown = |who: &[&'static str]| (who.to_vec(), "Cluster PodsUnknown".to_owned());
    let cases = [
        (&by_address, Client::default(), vec![pod(), others(&["node", "other"])]),
        (&by_address, from(ClientKind::Pod), vec![pod()]),
        (&by_address, from(ClientKind::Node), vec![others(&["node"])]),
        (&by_address, from(ClientKind::Outside), vec![others(&["other"])]),
        (&by_address, at("10.0.0.77"), vec![pod()]),
        (&by_address, at("192.0.2.11"), vec![others(&["node"])]),
        (&by_address, at("203.0.113.1"), vec![others(&["other"])]),
        (&by_address, on("eth0"), vec![pod(), others(&["other"])]),
        (&by_interface, at("10.0.0.77"), vec![pod(), others(&["other"])]),
        (&by_interface, on("cni0"), vec![pod()]),
        (&by_interface, on("eth0"), vec![others(&["other"])]),
        (&by_interface, from(ClientKind::Pod), vec![pod()]),
        (&nothing, Client::default(), vec![unknown(&["node", "other"])]),
        (&nothing, from(ClientKind::Pod), vec![unknown(&["other"])]),
    ];
    for (environment, client, expected) in cases {
        let explanation = packet_in(&index, environment, client.clone(), "10.96.0.1", 80);
        assert_eq!(outcomes(&explanation), expected, "{client:?} {environment:?}");
    }
}

#[test]
fn an_endpoint_that_calls_itself_is_told_from_one_that_may() {
    let index = web(vec![here("10.0.0.1"), elsewhere("10.0.1.1")]);
    let cases = [
        (at("10.0.0.1"), [Some(SourceReason::CallsItself), None], [false, false]),
        (at("10.0.0.2"), [None, None], [false, false]),
        (from(ClientKind::Pod), [None, None], [true, false]),
    ];
    for (client, because, perhaps) in cases {
        let explanation = packet(&index, client.clone(), "10.96.0.1", 80);
        let Verdict::Balance { endpoints, .. } = &explanation.outcomes[0].verdict else { panic!() };
        let found: Vec<_> = endpoints.iter().map(|it| it.because).collect();
        assert_eq!(found, because, "{client:?}");
        let found: Vec<_> = endpoints.iter().map(|it| it.unless_itself).collect();
        assert_eq!(found, perhaps, "{client:?}");
    }
}

fn balancer(ranges: &[&str]) -> Index {
    index([
        Update::ServiceApplied(Service {
            service_type: ServiceType::LoadBalancer,
            load_balancer_ips: ips(&["203.0.113.1"]),
            source_ranges: nets(ranges),
            external_policy_local: true,
            ..service("web", &["10.96.0.1"])
        }),
        Update::EndpointSliceApplied(slice("web-1", "web", vec![elsewhere("10.0.1.1")])),
    ])
}

#[test]
fn source_ranges_are_decided_by_an_address_and_left_open_without_one() {
    let index = balancer(&["198.51.100.0/24"]);
    let said = |client| {
        let explanation = packet(&index, client, "203.0.113.1", 80);
        let outcomes = explanation.outcomes.iter();
        outcomes.map(|it| (it.in_source_ranges, word(&it.verdict))).collect::<Vec<_>>()
    };
    let word = str::to_owned;
    assert_eq!(said(at("198.51.100.7")), [(None, word("NoLocalEndpoint"))]);
    assert_eq!(said(at("203.0.113.77")), [(None, word("SourceRanges"))]);
    assert_eq!(
        said(from(ClientKind::Outside)),
        [(Some(true), word("NoLocalEndpoint")), (Some(false), word("SourceRanges"))]
    );
    // None of the node's addresses is in one, whichever it uses.
    assert_eq!(said(from(ClientKind::Node)), [(None, word("SourceRanges"))]);
}

#[test]
fn the_policy_local_tells_insiders_from_the_rest() {
    let explanation = packet(&balancer(&[]), Client::default(), "203.0.113.1", 80);
    assert_eq!(
        outcomes(&explanation),
        [
            (vec!["pod"], "Cluster PolicyLocal".to_owned()),
            (vec!["node"], "Cluster ThisNode".to_owned()),
            (vec!["other"], "NoLocalEndpoint".to_owned()),
        ]
    );
    let found = frontend(&explanation);
    assert_eq!(found.policy_local, Some(true));
    let pools: Vec<_> = found.choices.iter().map(|choice| choice.pool).collect();
    assert_eq!(pools, [Pool::Cluster, Pool::Local]);
}

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

#[test]
fn a_service_is_explained_by_all_that_it_has_or_by_why_it_has_nothing() {
    let affinity = Some(SessionAffinity { timeout_seconds: 60 });
    let dual = Service {
        session_affinity: affinity,
        ports: vec![node_port("", Protocol::Tcp, 80, 30080)],
        ..service("dual", &["10.96.0.1", "fd00:96::1"])
    };
    let external = Service { service_type: ServiceType::ExternalName, ..service("external", &[]) };
    let services = [dual, external, service("headless", &[])].map(Update::ServiceApplied);
    let index = index(services);
    let explained = of_service(&index, "dual");
    let frontends = explained.frontends.iter();
    let frontends: Vec<_> = frontends.map(|it| (it.destination, it.port)).collect();
    let expected =
        [(Some(ip("10.96.0.1")), 80), (None, 30080), (Some(ip("fd00:96::1")), 80), (None, 30080)];
    assert_eq!(frontends, expected);
    assert_eq!(frontend(&explained.frontends[0]).affinity, affinity);
    for (service, why) in [
        ("dual", None),
        ("external", Some(Unserved::ExternalName)),
        ("headless", Some(Unserved::Headless)),
        ("nobody", Some(Unserved::Unknown)),
    ] {
        assert_eq!(of_service(&index, service).unserved, why, "{service}");
    }
}

#[test]
fn ipvs_picks_by_its_scheduler_what_it_has() {
    let index = balancer(&[]);
    let of_service: IpvsScheduler = "lc".parse().unwrap();
    let chosen = Service { ipvs_scheduler: Some(of_service), ..service("web", &["10.96.0.1"]) };
    let with_own =
        crate::support::index(web_and_slice().into_iter().chain([Update::ServiceApplied(chosen)]));
    let environment = environment();
    let addresses = ips(&["192.0.2.10"]);
    let pick = |index: &Index, ipvs_scheduler, destination: &str| {
        let node = NodeView {
            environment: &environment,
            addresses: &addresses,
            masquerade_all: false,
            ipvs_scheduler,
        };
        let (client, destination) = (from(ClientKind::Pod), ip(destination));
        let packet = Packet { client, protocol: Protocol::Tcp, destination, port: 80 };
        let Explained::Packet(explanation) = index.explain(&node, &Question::Packet(packet)) else {
            panic!()
        };
        let Verdict::Balance { pick, .. } = explanation.outcomes[0].verdict.clone() else {
            panic!()
        };
        pick
    };
    let scheduler = |name: &str| Pick::Scheduler(name.to_owned());
    assert_eq!(pick(&index, None, "10.96.0.1"), Pick::Random);
    assert_eq!(pick(&index, Some("rr"), "10.96.0.1"), scheduler("rr"));
    assert_eq!(pick(&with_own, Some("rr"), "10.96.0.1"), scheduler("lc"));
}

#[test]
fn an_answer_survives_the_way_through_the_control_socket() {
    let index = balancer(&["198.51.100.0/24"]);
    let question = Question::Service { name: name("web"), client: Client::default() };
    let text = serde_json::to_string(&question).unwrap();
    assert_eq!(serde_json::from_str::<Question>(&text).unwrap(), question);
    let explained = ask(&index, &environment(), &question);
    let text = serde_json::to_string(&explained).unwrap();
    assert_eq!(serde_json::from_str::<Explained>(&text).unwrap(), explained);
}
