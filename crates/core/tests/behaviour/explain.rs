//! What is said of packets. That it is true is for the differential test of the backends.

mod clients;
mod destinations;
mod endpoints;

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
fn an_answer_survives_the_way_through_the_control_socket() {
    let index = balancer(&["198.51.100.0/24"]);
    let question = Question::Service { name: name("web"), client: Client::default() };
    let text = serde_json::to_string(&question).unwrap();
    assert_eq!(serde_json::from_str::<Question>(&text).unwrap(), question);
    let explained = ask(&index, &environment(), &question);
    let text = serde_json::to_string(&explained).unwrap();
    assert_eq!(serde_json::from_str::<Explained>(&text).unwrap(), explained);
}
