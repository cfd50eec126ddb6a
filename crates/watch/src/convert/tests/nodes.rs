use super::*;

fn node_manifest() -> Value {
    json!({
        "metadata": {"name": "node-1", "labels": {"topology.kubernetes.io/zone": "zone-a"}},
        "spec": {
            "podCIDR": "10.244.1.0/24", "podCIDRs": ["10.244.1.0/24", "fd00:1::/64"],
            "taints": [],
        },
        "status": {"addresses": [
            {"type": "Hostname", "address": "node-1"},
            {"type": "ExternalIP", "address": "192.0.2.1"},
            {"type": "ExternalIP", "address": "2001:db8::1"},
            {"type": "InternalIP", "address": "10.0.0.1"},
            {"type": "InternalIP", "address": "10.0.0.2"},
        ]},
    })
}

fn node(manifest: &Value) -> (NodeInfo, Vec<String>) {
    let converted = convert(ObjectKind::Node, manifest);
    let Some(Object::Node(node)) = converted.object else { panic!("{converted:?}") };
    (node, converted.problems.iter().map(ToString::to_string).collect())
}

#[test]
fn every_field_of_this_node_is_read() {
    let expected = NodeInfo {
        zone: Some("zone-a".into()),
        addresses: vec!["10.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
        pod_cidrs: vec!["10.244.1.0/24".parse().unwrap(), "fd00:1::/64".parse().unwrap()],
        leaving: false,
    };
    assert_eq!(node(&node_manifest()), (expected, vec![]));
}

#[test]
fn other_nodes_are_invisible() {
    let manifest = with(&node_manifest(), "/metadata/name", json!("node-2"));
    assert_eq!(convert(ObjectKind::Node, &manifest).object, None);
}

#[test]
fn a_node_without_anything_is_a_node() {
    assert_eq!(node(&json!({"metadata": {"name": "node-1"}})), (NodeInfo::default(), vec![]));
}

#[test]
fn pod_cidr_stands_in_for_pod_cidrs() {
    let manifest = with(&node_manifest(), "/spec/podCIDRs", Value::Null);
    assert_eq!(node(&manifest).0.pod_cidrs, ["10.244.1.0/24".parse::<IpNet>().unwrap()]);
}

#[test]
fn a_node_that_is_deleted_or_tainted_is_leaving() {
    let taint = |key| json!([{"key": key, "value": "1700000000", "effect": "NoSchedule"}]);
    for (pointer, value, leaving) in [
        ("/spec/taints", taint("ToBeDeletedByClusterAutoscaler"), true),
        ("/spec/taints", taint("node.kubernetes.io/unschedulable"), false),
        ("/metadata", json!({"name": "node-1", "deletionTimestamp": "2024-01-01T00:00:00Z"}), true),
    ] {
        assert_eq!(
            node(&with(&node_manifest(), pointer, value.clone())).0.leaving,
            leaving,
            "{value}"
        );
    }
}

#[test]
fn a_bad_field_of_a_node_is_named() {
    for (pointer, value, problem) in [
        (
            "/metadata/labels/topology.kubernetes.io~1zone",
            json!(1),
            "metadata.labels[topology.kubernetes.io/zone]: a number",
        ),
        ("/spec/podCIDRs/1", json!("fd00:1::"), "spec.podCIDRs[1]: \"fd00:1::\" is not a network"),
        (
            "/status/addresses/3/address",
            json!("node-1"),
            "status.addresses[3].address: \"node-1\" is not an IP address",
        ),
    ] {
        let (_, problems) = node(&with(&node_manifest(), pointer, value));
        let start = format!("Node node-1: {problem}");
        assert!(matches!(&problems[..], [only] if only.starts_with(&start)), "{problems:?}");
    }
}

#[test]
fn service_cidrs_are_read_and_bad_ones_named() {
    let converted = convert(
        ObjectKind::ServiceCIDR,
        &json!({
            "metadata": {"name": "kubernetes"},
            "spec": {"cidrs": ["10.96.0.0/16", "fd00::1/112", "10.97.0.0"]},
        }),
    );
    let networks = vec!["10.96.0.0/16".parse().unwrap(), "fd00::/112".parse().unwrap()];
    assert_eq!(converted.object, Some(Object::ServiceCidr(networks)));
    assert_eq!(
        converted.problems[0].to_string(),
        "ServiceCIDR kubernetes: spec.cidrs[2]: \"10.97.0.0\" is not a network in CIDR notation; \
         it is skipped"
    );
}

#[test]
fn an_object_without_a_usable_name_says_so() {
    for (manifest, reason) in [
        (json!({}), "Service without metadata"),
        (json!({"metadata": "x"}), "Service without metadata"),
        (json!({"metadata": {}}), "Service without metadata.name"),
        (json!({"metadata": {"name": ""}}), "Service without metadata.name"),
        (json!({"metadata": {"name": 7}}), "Service whose metadata.name is a number, not a text"),
        (
            json!({"metadata": {"name": "x", "namespace": true}}),
            "Service whose metadata.namespace is true or false",
        ),
    ] {
        let manifest: Manifest = serde_json::from_value(manifest).unwrap();
        let unnamed = Converter::new("node-1").convert(ObjectKind::Service, &manifest).unwrap_err();
        assert!(unnamed.0.starts_with(reason), "{unnamed:?} is not {reason:?}");
    }
}
