use portolan_core::{Protocol, ServicePort, ServiceType, SessionAffinity, WhenEndpointGone};

use super::*;

#[test]
fn every_field_of_a_service_is_read() {
    let (service, problems) = service(&service_manifest());
    let expected = Service {
        name: ObjectName::new("shop", "web"),
        created: Some(1_704_164_645),
        service_type: ServiceType::LoadBalancer,
        cluster_ips: vec!["10.96.0.10".parse().unwrap(), "fd00::10".parse().unwrap()],
        ports: vec![
            ServicePort {
                name: "http".into(),
                protocol: Protocol::Tcp,
                port: 80,
                node_port: Some(30080),
            },
            ServicePort {
                name: "dns".into(),
                protocol: Protocol::Udp,
                port: 53,
                node_port: Some(30053),
            },
        ],
        external_ips: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
        load_balancer_ips: vec!["198.51.100.1".parse().unwrap(), "2001:db8::2".parse().unwrap()],
        source_ranges: vec!["203.0.113.0/24".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
        external_policy_local: true,
        internal_policy_local: false,
        session_affinity: Some(SessionAffinity { timeout_seconds: 60 }),
        health_check_node_port: Some(32000),
        tcp_when_endpoint_gone: WhenEndpointGone::Reset,
        ipvs_scheduler: Some("mh,mh-port".parse().unwrap()),
    };
    assert_eq!(service, Some(expected));
    assert_eq!(problems, [""; 0]);
}

#[test]
fn an_absent_field_has_the_default_of_the_api() {
    let (service, problems) = service(&json!({
        "metadata": {"name": "web"},
        "spec": {"clusterIP": "10.96.0.10", "ports": [{"port": 80}]},
    }));
    let service = service.unwrap();
    assert_eq!(problems, [""; 0]);
    assert_eq!(service.name, ObjectName::new("default", "web"));
    assert_eq!(service.created, None);
    assert_eq!(service.service_type, ServiceType::ClusterIP);
    assert_eq!(service.cluster_ips, ["10.96.0.10".parse::<std::net::IpAddr>().unwrap()]);
    let port = ServicePort { name: "".into(), protocol: Protocol::Tcp, port: 80, node_port: None };
    assert_eq!(service.ports, [port]);
    assert!(!service.external_policy_local && !service.internal_policy_local);
    assert_eq!((service.session_affinity, service.health_check_node_port), (None, None));
    assert_eq!(service.tcp_when_endpoint_gone, WhenEndpointGone::Keep);
    assert_eq!(service.ipvs_scheduler, None);
}

#[test]
fn affinity_without_a_timeout_lasts_three_hours() {
    let manifest = with(&service_manifest(), "/spec/sessionAffinityConfig", Value::Null);
    let affinity = served(&manifest).session_affinity.unwrap();
    assert_eq!(affinity.timeout_seconds, 10_800);
}

/// A change to the manifest, the start of the one problem it causes, and what it costs.
type Case = (&'static str, Value, &'static str, fn(&mut Service));

#[test]
fn a_bad_field_costs_itself_and_is_named() {
    let cases: Vec<Case> = vec![
        (
            "/metadata/creationTimestamp",
            json!("yesterday"),
            "metadata.creationTimestamp: is not a time",
            |s| s.created = None,
        ),
        (
            "/metadata/creationTimestamp",
            json!(7),
            "metadata.creationTimestamp: a number where a text",
            |s| s.created = None,
        ),
        ("/metadata/labels", json!([]), "metadata.labels: a list where a mapping", |_| {}),
        (
            "/metadata/annotations",
            json!([]),
            "metadata.annotations: a list where a mapping is expected; its annotations count as absent",
            |s| {
                s.tcp_when_endpoint_gone = WhenEndpointGone::Keep;
                s.ipvs_scheduler = None;
            },
        ),
        (
            "/metadata/annotations/portolan.dev~1tcp-when-endpoint-gone",
            json!("Reset"),
            "metadata.annotations[portolan.dev/tcp-when-endpoint-gone]: \"Reset\" is none of keep, \
             drop, reset; it counts as keep",
            |s| s.tcp_when_endpoint_gone = WhenEndpointGone::Keep,
        ),
        (
            "/metadata/annotations/portolan.dev~1ipvs-scheduler",
            json!("round-robin"),
            "metadata.annotations[portolan.dev/ipvs-scheduler]: \"round-robin\": IPVS has no such \
             scheduler, only rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, fo, ovf, mh, twos; \
             the scheduler of the node counts (--ipvs-scheduler)",
            |s| s.ipvs_scheduler = None,
        ),
        (
            "/metadata/annotations/portolan.dev~1ipvs-scheduler",
            json!("mh,sh-port"),
            "metadata.annotations[portolan.dev/ipvs-scheduler]: \"mh,sh-port\": mh has no flags but \
             mh-port and mh-fallback beside it; the scheduler of the node counts",
            |s| s.ipvs_scheduler = None,
        ),
        (
            "/metadata/annotations/portolan.dev~1ipvs-scheduler",
            json!(5),
            "metadata.annotations[portolan.dev/ipvs-scheduler]: a number where a text is expected",
            |s| s.ipvs_scheduler = None,
        ),
        (
            "/spec/type",
            json!("Loadbalancer"),
            "spec.type: \"Loadbalancer\" is none of ClusterIP, NodePort, LoadBalancer",
            |s| s.service_type = ServiceType::ClusterIP,
        ),
        (
            "/spec/clusterIPs/0",
            json!("10.96.0.256"),
            "spec.clusterIPs[0]: \"10.96.0.256\" is not an IP address",
            |s| {
                s.cluster_ips.remove(0);
            },
        ),
        (
            "/spec/clusterIPs/1",
            json!("10.96.0.11"),
            "spec.clusterIPs[1]: 10.96.0.11 where spec.ipFamilies says IPv6",
            |s| {
                s.cluster_ips.remove(1);
            },
        ),
        ("/spec/clusterIPs/1", json!(7), "spec.clusterIPs[1]: a number where a text", |s| {
            s.cluster_ips.remove(1);
        }),
        (
            "/spec/clusterIPs/1",
            json!("::"),
            "spec.clusterIPs[1]: :: is the unspecified address",
            |s| {
                s.cluster_ips.remove(1);
            },
        ),
        (
            "/spec/ipFamilies/1",
            json!("IPv7"),
            "spec.ipFamilies[1]: \"IPv7\" is none of IPv4, IPv6",
            |_| {},
        ),
        ("/spec/ports/0", json!("80"), "spec.ports[0]: a text where a mapping", |s| {
            s.ports.remove(0);
        }),
        (
            "/spec/ports/0/port",
            json!("80"),
            "spec.ports[0].port: a text where an integer is expected; the port is skipped",
            |s| {
                s.ports.remove(0);
            },
        ),
        ("/spec/ports/0/port", json!(0), "spec.ports[0].port: has no number", |s| {
            s.ports.remove(0);
        }),
        ("/spec/ports/0/port", json!(null), "spec.ports[0].port: has no number", |s| {
            s.ports.remove(0);
        }),
        ("/spec/ports/0/port", json!(65536), "spec.ports[0].port: 65536 is not a port", |s| {
            s.ports.remove(0);
        }),
        ("/spec/ports/0/port", json!(-1), "spec.ports[0].port: -1 is not a port", |s| {
            s.ports.remove(0);
        }),
        ("/spec/ports/0/port", json!(80.5), "spec.ports[0].port: a fraction where", |s| {
            s.ports.remove(0);
        }),
        (
            "/spec/ports/0/protocol",
            json!("tcp"),
            "spec.ports[0].protocol: \"tcp\" is none of TCP, UDP, SCTP",
            |s| {
                s.ports.remove(0);
            },
        ),
        ("/spec/ports/0/name", json!(80), "spec.ports[0].name: a number where a text", |s| {
            s.ports.remove(0);
        }),
        (
            "/spec/ports/0/nodePort",
            json!(70000),
            "spec.ports[0].nodePort: 70000 is not a port; it is ignored",
            |s| s.ports[0].node_port = None,
        ),
        (
            "/spec/ports/1",
            json!({"name": "x", "port": 80}),
            "spec.ports[1]: TCP 80 stands there twice",
            |s| {
                s.ports.remove(1);
            },
        ),
        (
            "/spec/ports/1",
            json!({"name": "http", "port": 81}),
            "spec.ports[1].name: the name \"http\" is used",
            |s| {
                s.ports.remove(1);
            },
        ),
        ("/spec/ports", json!({}), "spec.ports: a mapping where a list", |s| s.ports.clear()),
        (
            "/spec/externalIPs/0",
            json!("web.example"),
            "spec.externalIPs[0]: \"web.example\" is not an IP address",
            |s| {
                s.external_ips.remove(0);
            },
        ),
        (
            "/spec/externalIPs/0",
            json!("224.0.0.1"),
            "spec.externalIPs[0]: 224.0.0.1 is a multicast address",
            |s| {
                s.external_ips.remove(0);
            },
        ),
        ("/spec/externalIPs", json!("192.0.2.1"), "spec.externalIPs: a text where a list", |s| {
            s.external_ips.clear()
        }),
        (
            "/spec/externalTrafficPolicy",
            json!("local"),
            "spec.externalTrafficPolicy: \"local\" is none of Cluster, Local",
            |s| s.external_policy_local = false,
        ),
        (
            "/spec/internalTrafficPolicy",
            json!(1),
            "spec.internalTrafficPolicy: a number where a text",
            |_| {},
        ),
        (
            "/spec/sessionAffinity",
            json!("Client"),
            "spec.sessionAffinity: \"Client\" is none of",
            |s| s.session_affinity = None,
        ),
        (
            "/spec/sessionAffinityConfig/clientIP/timeoutSeconds",
            json!(0),
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds: 0 is not within",
            |s| s.session_affinity = Some(SessionAffinity { timeout_seconds: 10_800 }),
        ),
        (
            "/spec/sessionAffinityConfig/clientIP/timeoutSeconds",
            json!(86_401),
            "spec.sessionAffinityConfig.clientIP.timeoutSeconds: 86401 is not within",
            |s| s.session_affinity = Some(SessionAffinity { timeout_seconds: 10_800 }),
        ),
        (
            "/spec/sessionAffinityConfig/clientIP",
            json!("60"),
            "spec.sessionAffinityConfig.clientIP: a text where a mapping",
            |s| s.session_affinity = Some(SessionAffinity { timeout_seconds: 10_800 }),
        ),
        (
            "/spec/healthCheckNodePort",
            json!(70000),
            "spec.healthCheckNodePort: 70000 is not a port",
            |s| s.health_check_node_port = None,
        ),
        ("/status", json!([]), "status: a list where a mapping", |s| s.load_balancer_ips.clear()),
        (
            "/status/loadBalancer/ingress/0/ip",
            json!("198.51.100"),
            "status.loadBalancer.ingress[0].ip: \"198.51.100\" is not an IP address",
            |s| {
                s.load_balancer_ips.remove(0);
            },
        ),
        (
            "/status/loadBalancer/ingress/0/ipMode",
            json!("vip"),
            "status.loadBalancer.ingress[0].ipMode: \"vip\" is none of VIP, Proxy",
            |s| {
                s.load_balancer_ips.remove(0);
            },
        ),
        (
            "/status/loadBalancer/ingress/0",
            json!("198.51.100.1"),
            "status.loadBalancer.ingress[0]: a text where a mapping",
            |s| {
                s.load_balancer_ips.remove(0);
            },
        ),
    ];
    for (pointer, value, problem, cost) in cases {
        let mut expected = served(&service_manifest());
        cost(&mut expected);
        let manifest = with(&service_manifest(), pointer, value.clone());
        let (service, problems) = service(&manifest);
        assert_eq!(service, Some(expected), "{pointer} = {value}");
        let start = format!("Service shop/web: {problem}");
        assert!(
            matches!(&problems[..], [only] if only.starts_with(&start)),
            "{pointer} = {value}: {problems:?} is not one {start:?}"
        );
    }
}

#[test]
fn a_blank_field_is_an_absent_one() {
    for pointer in [
        "/spec/type",
        "/spec/externalIPs/0",
        "/spec/loadBalancerSourceRanges/0",
        "/spec/sessionAffinity",
        "/spec/externalTrafficPolicy",
        "/status/loadBalancer/ingress/0/ip",
        "/spec/ports/0/protocol",
    ] {
        for blank in [json!(""), Value::Null] {
            let (service, problems) = service(&with(&service_manifest(), pointer, blank));
            assert!(service.is_some(), "{pointer}");
            assert_eq!(problems, [""; 0], "{pointer}");
        }
    }
}

#[test]
fn services_that_are_not_ours_to_serve_are_invisible_and_silent() {
    for (pointer, value) in [
        ("/spec", json!({"clusterIP": "None"})),
        ("/spec", json!({"clusterIPs": ["None"]})),
        ("/spec", json!({"clusterIP": "None", "ports": [{"port": "bad"}]})),
        ("/spec", json!({"type": "ExternalName", "externalName": "web.example"})),
        ("/metadata/labels", json!({"service.kubernetes.io/service-proxy-name": "other"})),
        ("/metadata/labels", json!({"service.kubernetes.io/service-proxy-name": ""})),
        ("/metadata/labels", json!({"service.kubernetes.io/service-proxy-name": 1})),
    ] {
        let manifest = with(&service_manifest(), pointer, value.clone());
        assert_eq!(service(&manifest), (None, vec![]), "{value}");
    }
}

#[test]
fn a_service_without_any_usable_address_is_not_served_and_says_why() {
    for (spec, problem) in [
        (json!({}), "spec.clusterIP: has no address; the Service is not served"),
        (json!(null), "spec.clusterIP: has no address; the Service is not served"),
        (json!({"clusterIP": "10.0.0.300"}), "spec.clusterIP: \"10.0.0.300\" is not an IP address"),
        (json!({"clusterIP": ["10.0.0.3"]}), "spec.clusterIP: a list where a text is expected"),
    ] {
        let (service, problems) = service(&with(&service_manifest(), "/spec", spec.clone()));
        assert_eq!(service, None, "{spec}");
        assert!(problems[0].starts_with(&format!("Service shop/web: {problem}")), "{problems:?}");
    }
}
