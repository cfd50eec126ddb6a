//! Who asks, as far as that is said.

use super::*;

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
