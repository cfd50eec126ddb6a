use portolan_core::{Conditions, Endpoint, EndpointPort, Family, Hints, Protocol};
use std::sync::Arc;

use super::*;

#[test]
fn every_field_of_a_slice_is_read() {
    let (slice, problems) = slice(&slice_manifest());
    let expected = EndpointSlice {
        name: ObjectName::new("shop", "web-abcde"),
        service: ObjectName::new("shop", "web"),
        family: Family::V4,
        ports: vec![
            EndpointPort { name: "http".into(), protocol: Protocol::Tcp, port: 8080 },
            EndpointPort { name: "dns".into(), protocol: Protocol::Udp, port: 53 },
        ],
        endpoints: vec![
            Endpoint {
                address: "10.244.1.1".parse().unwrap(),
                conditions: Conditions { ready: true, serving: true, terminating: false },
                node_name: Some("node-1".into()),
                hints: Some(Arc::new(Hints {
                    zones: vec!["zone-a".into()],
                    nodes: vec!["node-1".into()],
                })),
            },
            Endpoint {
                address: "10.244.1.2".parse().unwrap(),
                conditions: Conditions::default(),
                node_name: None,
                hints: None,
            },
        ],
        trigger_time: Some(1_714_896_240_250),
    };
    assert_eq!(slice, Some(expected));
    assert_eq!(problems, [""; 0]);
}

/// A change to the manifest, the start of the one problem it causes, and what it costs.
type Case = (&'static str, Value, &'static str, fn(&mut EndpointSlice));

#[test]
fn a_bad_field_costs_itself_and_is_named() {
    let cases: Vec<Case> = vec![
        ("/ports/0", json!(8080), "ports[0]: a number where a mapping", |s| {
            s.ports.remove(0);
        }),
        ("/ports/0/port", json!(null), "ports[0].port: has no number", |s| {
            s.ports.remove(0);
        }),
        ("/ports/0/port", json!(0), "ports[0].port: has no number", |s| {
            s.ports.remove(0);
        }),
        ("/ports/0/port", json!("http"), "ports[0].port: a text where an integer", |s| {
            s.ports.remove(0);
        }),
        ("/ports/0/port", json!(65536), "ports[0].port: 65536 is not a port", |s| {
            s.ports.remove(0);
        }),
        (
            "/ports/0/protocol",
            json!("ICMP"),
            "ports[0].protocol: \"ICMP\" is none of TCP, UDP, SCTP",
            |s| {
                s.ports.remove(0);
            },
        ),
        ("/ports/0/name", json!(1), "ports[0].name: a number where a text", |s| {
            s.ports.remove(0);
        }),
        ("/ports", json!("8080"), "ports: a text where a list", |s| s.ports.clear()),
        ("/endpoints/0", json!("10.244.1.1"), "endpoints[0]: a text where a mapping", |s| {
            s.endpoints.remove(0);
        }),
        ("/endpoints/0/addresses", json!([]), "endpoints[0].addresses: has no address", |s| {
            s.endpoints.remove(0);
        }),
        ("/endpoints/0/addresses", json!([""]), "endpoints[0].addresses: has no address", |s| {
            s.endpoints.remove(0);
        }),
        ("/endpoints/0/addresses", json!(null), "endpoints[0].addresses: has no address", |s| {
            s.endpoints.remove(0);
        }),
        (
            "/endpoints/0/addresses",
            json!("10.244.1.1"),
            "endpoints[0].addresses: a text where a list",
            |s| {
                s.endpoints.remove(0);
            },
        ),
        (
            "/endpoints/0/addresses/0",
            json!("10.244.1.999"),
            "endpoints[0].addresses[0]: \"10.244.1.999\" is not an IP address",
            |s| {
                s.endpoints.remove(0);
            },
        ),
        (
            "/endpoints/0/addresses/0",
            json!("fd00::1"),
            "endpoints[0].addresses[0]: fd00::1 in a slice of addressType IPv4",
            |s| {
                s.endpoints.remove(0);
            },
        ),
        (
            "/endpoints/0/addresses/0",
            json!("0.0.0.0"),
            "endpoints[0].addresses[0]: 0.0.0.0 is the unspecified address",
            |s| {
                s.endpoints.remove(0);
            },
        ),
        (
            "/endpoints/0/conditions",
            json!("ready"),
            "endpoints[0].conditions: a text where a mapping",
            |s| {
                s.endpoints.remove(0);
            },
        ),
        (
            "/endpoints/0/conditions/ready",
            json!("false"),
            "endpoints[0].conditions.ready: a text where true or false",
            |s| {
                s.endpoints.remove(0);
            },
        ),
        (
            "/endpoints/0/conditions/terminating",
            json!(1),
            "endpoints[0].conditions.terminating: a number",
            |s| {
                s.endpoints.remove(0);
            },
        ),
        ("/endpoints/0/nodeName", json!(1), "endpoints[0].nodeName: a number where a text", |s| {
            s.endpoints[0].node_name = None
        }),
        (
            "/endpoints/0/hints",
            json!("zone-a"),
            "endpoints[0].hints: a text where a mapping",
            |s| s.endpoints[0].hints = None,
        ),
        (
            "/endpoints/0/hints/forZones/0",
            json!("zone-a"),
            "endpoints[0].hints.forZones[0]: a text",
            |s| {
                s.endpoints[0].hints =
                    Some(Arc::new(Hints { zones: vec![], nodes: vec!["node-1".into()] }))
            },
        ),
        (
            "/endpoints/0/hints/forNodes/0/name",
            json!(1),
            "endpoints[0].hints.forNodes[0].name: a number",
            |s| {
                s.endpoints[0].hints =
                    Some(Arc::new(Hints { zones: vec!["zone-a".into()], nodes: vec![] }))
            },
        ),
        ("/endpoints", json!({}), "endpoints: a mapping where a list", |s| s.endpoints.clear()),
    ];
    for (pointer, value, problem, cost) in cases {
        let mut expected = slice(&slice_manifest()).0.unwrap();
        cost(&mut expected);
        let (slice, problems) = slice(&with(&slice_manifest(), pointer, value.clone()));
        assert_eq!(slice, Some(expected), "{pointer} = {value}");
        let start = format!("EndpointSlice shop/web-abcde: {problem}");
        assert!(
            matches!(&problems[..], [only] if only.starts_with(&start)),
            "{pointer} = {value}: {problems:?} is not one {start:?}"
        );
    }
}

#[test]
fn a_slice_of_no_service_or_family_is_skipped_and_says_why() {
    for (pointer, value, problem) in [
        (
            "/metadata/labels",
            json!({}),
            "metadata.labels[kubernetes.io/service-name]: names no Service",
        ),
        (
            "/metadata/labels",
            json!({"kubernetes.io/service-name": ""}),
            "metadata.labels[kubernetes.io/service-name]: names no Service",
        ),
        (
            "/metadata/labels",
            json!({"kubernetes.io/service-name": 7}),
            "metadata.labels[kubernetes.io/service-name]: a number",
        ),
        ("/addressType", json!("FQDN"), "addressType: host names are not resolved"),
        ("/addressType", json!("ipv4"), "addressType: \"ipv4\" is none of IPv4, IPv6, FQDN"),
        ("/addressType", json!(4), "addressType: a number where a text"),
        ("/addressType", json!(null), "addressType: is neither IPv4 nor IPv6"),
    ] {
        let (slice, problems) = slice(&with(&slice_manifest(), pointer, value.clone()));
        assert_eq!(slice, None, "{pointer} = {value}");
        let start = format!("EndpointSlice shop/web-abcde: {problem}");
        let [only] = &problems[..] else { panic!("{pointer} = {value}: {problems:?}") };
        assert!(only.starts_with(&start) && only.ends_with("the slice is skipped"), "{only}");
    }
}

#[test]
fn slices_of_headless_services_are_invisible_and_silent() {
    let labels = json!({"service.kubernetes.io/headless": "", "kubernetes.io/service-name": "web"});
    let manifest = with(&slice_manifest(), "/metadata/labels", labels);
    assert_eq!(slice(&manifest), (None, vec![]));
}

#[test]
fn absent_conditions_are_ready_and_serving() {
    for (conditions, expected) in [
        (json!({}), (true, true, false)),
        (json!({"ready": false}), (false, true, false)),
        (json!({"ready": false, "serving": false}), (false, false, false)),
        (json!({"ready": false, "terminating": true}), (false, true, true)),
        (json!({"ready": null, "serving": null, "terminating": null}), (true, true, false)),
    ] {
        let manifest = with(&slice_manifest(), "/endpoints/0/conditions", conditions.clone());
        let found = slice(&manifest).0.unwrap().endpoints[0].conditions;
        assert_eq!((found.ready, found.serving, found.terminating), expected, "{conditions}");
    }
}

#[test]
fn sloppy_and_mapped_addresses_are_canonical() {
    for (family, text, expected) in [
        ("IPv4", "10.180.00.001", "10.180.0.1"),
        ("IPv4", "::ffff:10.0.0.1", "10.0.0.1"),
        ("IPv6", "FD00::01", "fd00::1"),
    ] {
        let manifest = with(&slice_manifest(), "/endpoints/0/addresses/0", json!(text));
        let manifest = with(&manifest, "/addressType", json!(family));
        let slice = slice(&manifest).0.unwrap();
        assert_eq!(slice.endpoints[0].address.to_string(), expected);
    }
}

#[test]
fn hints_are_shared_within_a_slice() {
    let hints = json!({"forZones": [{"name": "zone-a"}]});
    let endpoint = |last| json!({"addresses": [format!("10.244.0.{last}")], "hints": hints});
    let manifest = with(&slice_manifest(), "/endpoints", json!([endpoint(1), endpoint(2)]));
    let endpoints = slice(&manifest).0.unwrap().endpoints;
    let hints: Vec<_> = endpoints.iter().map(|endpoint| endpoint.hints.as_ref().unwrap()).collect();
    assert!(Arc::ptr_eq(hints[0], hints[1]));
}

#[test]
fn a_time_of_change_that_cannot_be_read_costs_itself_and_is_not_worth_a_word() {
    let unreadable = [json!(null), json!("yesterday"), json!(1_714_896_240), json!([])];
    let annotations = unreadable.map(|value| json!({TRIGGER_TIME: value}));
    for annotations in annotations.into_iter().chain([json!(null), json!("none"), json!({})]) {
        let mut manifest = slice_manifest();
        manifest["metadata"]["annotations"] = annotations.clone();
        let (slice, problems) = slice(&manifest);
        assert_eq!(slice.map(|slice| slice.trigger_time), Some(None), "{annotations}");
        assert_eq!(problems, [""; 0], "{annotations}");
    }
}
