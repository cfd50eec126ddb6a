//! Which endpoints count, and which of them is picked.

use super::*;

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
