//! What each frontend does, by traffic policy and by where the endpoints are.

use portolan_core::{
    Action, Destination, Endpoint, Masquerade, PortPlan, Protocol, Service, ServiceType, Traffic,
};

use crate::support::*;

/// A situation, and what it means for each policy.
struct Row {
    title: &'static str,
    endpoints: Vec<Endpoint>,
    /// The Cluster policy, and those inside with the external Local policy.
    anywhere: Action,
    /// The Local policy.
    here_only: Action,
    cluster: Vec<&'static str>,
    local: Vec<&'static str>,
}

fn rows(s: &Sample) -> Vec<Row> {
    use Action::{Drop, Reject};
    let (here, there) = (|| here(s.here), || elsewhere(s.elsewhere));
    let both = vec![s.here, s.elsewhere];
    let (cluster, local) = (BALANCE_CLUSTER, BALANCE_LOCAL);
    let row = |title, endpoints, anywhere, here_only, cluster, local| Row {
        title,
        endpoints,
        anywhere,
        here_only,
        cluster,
        local,
    };
    vec![
        row("no endpoints", vec![], Reject, Reject, vec![], vec![]),
        row("only unready ones", vec![unready(here())], Reject, Reject, vec![], vec![]),
        row("ready elsewhere", vec![there()], cluster, Drop, vec![s.elsewhere], vec![]),
        row(
            "draining elsewhere",
            vec![draining(there())],
            cluster,
            Drop,
            vec![s.elsewhere],
            vec![],
        ),
        row("ready here", vec![here()], cluster, local, vec![s.here], vec![s.here]),
        row("draining here", vec![draining(here())], cluster, local, vec![s.here], vec![s.here]),
        row("both", vec![here(), there()], cluster, local, both, vec![s.here]),
        row(
            "draining here, ready elsewhere",
            vec![draining(here()), there()],
            cluster,
            local,
            vec![s.elsewhere],
            vec![s.here],
        ),
        row(
            "unready here, ready elsewhere",
            vec![unready(here()), there()],
            cluster,
            Drop,
            vec![s.elsewhere],
            vec![],
        ),
    ]
}

fn everywhere(s: &Sample, internal_local: bool, external_local: bool) -> Service {
    Service {
        service_type: ServiceType::LoadBalancer,
        ports: vec![node_port("", Protocol::Tcp, 80, 30080)],
        external_ips: ips(&[s.external_ip]),
        load_balancer_ips: ips(&[s.balancer_ip]),
        internal_policy_local: internal_local,
        external_policy_local: external_local,
        ..service("web", &[s.cluster_ip])
    }
}

fn external_destinations(s: &Sample) -> [Destination; 3] {
    [
        Destination::ExternalIp(ip(s.external_ip)),
        Destination::LoadBalancerIp(ip(s.balancer_ip)),
        Destination::NodePort,
    ]
}

/// Calls `check` for both families, all policies and all rows.
fn matrix(check: impl Fn(&Sample, &Row, bool, bool, &PortPlan, &str)) {
    for s in &SAMPLES {
        for (internal, external) in [(false, false), (false, true), (true, false), (true, true)] {
            for row in rows(s) {
                let port = only_port(everywhere(s, internal, external), row.endpoints.clone());
                let label = format!(
                    "{}, {}, internal Local: {internal}, external Local: {external}",
                    s.cluster_ip, row.title
                );
                check(s, &row, internal, external, &port, &label);
            }
        }
    }
}

#[test]
fn the_cluster_ip_follows_the_internal_policy_alone() {
    matrix(|s, row, internal, _, port, label| {
        let frontend = frontend(port, Destination::ClusterIp(ip(s.cluster_ip)));
        let action = if internal { row.here_only } else { row.anywhere };
        assert_eq!(frontend.traffic, Traffic::Everyone(action), "{label}");
        assert_eq!(frontend.masquerade, Masquerade::UnlessLocalPod, "{label}");
        assert_eq!(frontend.port, 80, "{label}");
    });
}

#[test]
fn external_frontends_follow_the_external_policy_alone() {
    matrix(|s, row, _, external, port, label| {
        for destination in external_destinations(s) {
            let frontend = frontend(port, destination);
            let outside = if external { row.here_only } else { row.anywhere };
            let actual = outside_and_inside(frontend.traffic);
            assert_eq!(actual, (outside, row.anywhere), "{destination}, {label}");
            let number = if destination == Destination::NodePort { 30080 } else { 80 };
            assert_eq!(frontend.port, number, "{destination}, {label}");
        }
    });
}

#[test]
fn a_service_without_any_endpoint_rejects_everyone_alike() {
    matrix(|_, row, _, _, port, label| {
        for frontend in &port.frontends {
            let rejects = frontend.traffic == Traffic::Everyone(Action::Reject);
            assert_eq!(rejects, row.anywhere == Action::Reject, "{label}");
        }
    });
}

#[test]
fn the_external_local_policy_keeps_the_source_of_all_but_the_node_itself() {
    matrix(|s, _, _, external, port, label| {
        for destination in external_destinations(s) {
            let expected = if external { Masquerade::ThisNode } else { Masquerade::Always };
            assert_eq!(frontend(port, destination).masquerade, expected, "{destination}, {label}");
        }
    });
}

#[test]
fn pools_hold_the_endpoints_of_their_policy() {
    matrix(|_, row, internal, external, port, label| {
        assert_eq!(cluster(port), on_8080(&row.cluster), "cluster, {label}");
        let local_pool = if internal || external { on_8080(&row.local) } else { vec![] };
        assert_eq!(local(port), local_pool, "local, {label}");
    });
}

#[test]
fn a_pool_that_no_frontend_uses_is_empty() {
    for s in &SAMPLES {
        let internal = Service { internal_policy_local: true, ..service("web", &[s.cluster_ip]) };
        let port = only_port(internal, vec![here(s.here), elsewhere(s.elsewhere)]);
        assert_eq!(cluster(&port), on_8080(&[]));
        assert_eq!(local(&port), on_8080(&[s.here]));
    }
}

#[test]
fn the_internal_local_policy_drops_when_all_endpoints_are_elsewhere() {
    for s in &SAMPLES {
        let internal = Service { internal_policy_local: true, ..service("web", &[s.cluster_ip]) };
        let port = only_port(internal, vec![elsewhere(s.elsewhere)]);
        assert_eq!(port.frontends[0].traffic, Traffic::Everyone(Action::Drop));
        assert!(port.cluster.is_empty() && port.local.is_empty() && port.hairpin.is_empty());
    }
}

#[test]
fn the_external_local_policy_needs_a_type_or_an_external_ip_that_gives_it_a_meaning() {
    let s = &SAMPLES[0];
    let with = |service_type, external_ips: &[&str]| Service {
        service_type,
        external_ips: ips(external_ips),
        load_balancer_ips: ips(&[s.balancer_ip]),
        external_policy_local: true,
        ..service("web", &[s.cluster_ip])
    };
    let cases = [
        (with(ServiceType::ClusterIP, &[]), false),
        (with(ServiceType::ClusterIP, &[s.external_ip]), true),
        (with(ServiceType::NodePort, &[]), true),
        (with(ServiceType::LoadBalancer, &[]), true),
    ];
    for (service, local) in cases {
        let label = format!("{:?} {:?}", service.service_type, service.external_ips);
        let port = only_port(service, vec![elsewhere(s.elsewhere)]);
        let frontend = frontend(&port, Destination::LoadBalancerIp(ip(s.balancer_ip)));
        let outside = if local { Action::Drop } else { BALANCE_CLUSTER };
        assert_eq!(outside_and_inside(frontend.traffic), (outside, BALANCE_CLUSTER), "{label}");
    }
}
