//! Endpoint selection against a table of kube-proxy's own decisions.

use std::net::SocketAddr;
use std::sync::Arc;

use portolan_core::{Candidate, Conditions, Hints, Placement, SelectionPolicy, select};
use serde::Deserialize;

const TABLE: &str = include_str!("../data/categorize-endpoints.json");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    id: String,
    title: String,
    internal_policy_local: bool,
    external_policy_local: bool,
    node_port: u16,
    prefer_same_traffic_distribution: bool,
    node_name: String,
    zone: String,
    endpoints: Vec<CaseEndpoint>,
    cluster: Option<Vec<SocketAddr>>,
    local: Option<Vec<SocketAddr>>,
    all: Option<Vec<SocketAddr>>,
    has_any: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CaseEndpoint {
    endpoint: SocketAddr,
    ready: bool,
    serving: bool,
    terminating: bool,
    local: bool,
    zone_hints: Vec<Arc<str>>,
    node_hints: Vec<Arc<str>>,
}

impl Case {
    fn policy(&self) -> SelectionPolicy {
        let external = self.node_port != 0;
        SelectionPolicy {
            uses_cluster: !self.internal_policy_local || external,
            uses_local: self.internal_policy_local || (self.external_policy_local && external),
        }
    }

    fn hints(&self) -> Vec<Hints> {
        let hints =
            |e: &CaseEndpoint| Hints { zones: e.zone_hints.clone(), nodes: e.node_hints.clone() };
        self.endpoints.iter().map(hints).collect()
    }

    /// The table has one case with the feature gate of node hints off. The gate is locked
    /// on since Kubernetes 1.35, so that case cannot occur; what does occur is that the
    /// endpoint on the same node wins.
    fn expected_cluster(&self) -> Option<Vec<SocketAddr>> {
        let has_node_hints = self.endpoints.iter().any(|e| !e.node_hints.is_empty());
        if has_node_hints && !self.prefer_same_traffic_distribution {
            assert_eq!(self.id, "T11", "only one case has the gate off");
            return Some(vec!["10.1.2.3:80".parse().unwrap()]);
        }
        self.cluster.clone()
    }
}

fn candidate<'a>(endpoint: &CaseEndpoint, hints: &'a Hints) -> Candidate<'a> {
    Candidate {
        address: endpoint.endpoint.into(),
        conditions: Conditions {
            ready: endpoint.ready,
            serving: endpoint.serving,
            terminating: endpoint.terminating,
        },
        placement: if endpoint.local { Placement::ThisNode } else { Placement::OtherNode },
        hints: Some(hints),
    }
}

fn addresses(list: &[&Candidate<'_>]) -> Vec<SocketAddr> {
    list.iter().map(|candidate| candidate.address.into()).collect()
}

#[test]
fn every_case_of_kube_proxy_is_decided_alike() {
    let cases: Vec<Case> = serde_json::from_str(TABLE).unwrap();
    assert_eq!(cases.len(), 32);
    for case in cases {
        let label = format!("{}: {}", case.id, case.title);
        let hints = case.hints();
        let candidates: Vec<Candidate<'_>> =
            case.endpoints.iter().zip(&hints).map(|(e, hints)| candidate(e, hints)).collect();
        let zone = Some(case.zone.as_str()).filter(|zone| !zone.is_empty());

        let selection = select(&candidates, case.policy(), &case.node_name, zone);

        let cluster = case.expected_cluster();
        let all = if case.id == "T11" { cluster.clone() } else { case.all };
        assert_eq!(selection.cluster.as_deref().map(addresses), cluster, "cluster, {label}");
        assert_eq!(selection.local.as_deref().map(addresses), case.local, "local, {label}");
        assert_eq!(addresses(&selection.all), all.unwrap_or_default(), "all, {label}");
        assert_eq!(selection.has_any, case.has_any, "has_any, {label}");
    }
}

const CLUSTER_ONLY: SelectionPolicy = SelectionPolicy { uses_cluster: true, uses_local: false };

#[test]
fn a_terminating_endpoint_that_serves_no_longer_is_not_even_a_last_resort() {
    let gone = Candidate {
        address: "10.0.0.1:80".parse::<SocketAddr>().unwrap().into(),
        conditions: Conditions { ready: false, serving: false, terminating: true },
        placement: Placement::ThisNode,
        hints: None,
    };
    let candidates = [gone];
    let both = SelectionPolicy { uses_cluster: true, uses_local: true };
    let selection = select(&candidates, both, "here", None);
    assert!(selection.all.is_empty());
    assert!(!selection.has_any);
}

#[test]
fn a_node_without_a_name_fits_no_hint() {
    let unnamed = Hints { zones: vec![], nodes: vec!["".into()] };
    let named = Hints { zones: vec![], nodes: vec!["elsewhere".into()] };
    let candidates =
        [("10.0.0.1:80", &unnamed), ("10.0.0.2:80", &named)].map(|(address, hints)| Candidate {
            address: address.parse::<SocketAddr>().unwrap().into(),
            conditions: Conditions::default(),
            placement: Placement::OtherNode,
            hints: Some(hints),
        });
    assert_eq!(select(&candidates, CLUSTER_ONLY, "", None).all.len(), 2);
}
