use super::*;

#[test]
fn what_kubectl_prints_is_read() {
    let snapshot = read(&[(
        "all.yaml",
        "apiVersion: v1
items:
- apiVersion: v1
  kind: Service
  metadata:
    annotations:
      kubectl.kubernetes.io/last-applied-configuration: |
        {\"apiVersion\":\"v1\",\"kind\":\"Service\"}
    creationTimestamp: \"2024-01-02T03:04:05Z\"
    labels:
      app: web
    name: web
    namespace: shop
    resourceVersion: \"1234\"
    uid: 7b3f1c2e-5d5a-4d57-9f55-0f3a4a8c9e11
  spec:
    clusterIP: 10.96.0.10
    clusterIPs:
    - 10.96.0.10
    internalTrafficPolicy: Cluster
    ipFamilies:
    - IPv4
    ipFamilyPolicy: SingleStack
    ports:
    - name: http
      port: 80
      protocol: TCP
      targetPort: http
    selector:
      app: web
    sessionAffinity: None
    type: ClusterIP
  status:
    loadBalancer: {}
- addressType: IPv4
  apiVersion: discovery.k8s.io/v1
  endpoints:
  - addresses:
    - 10.244.1.5
    conditions:
      ready: true
      serving: true
      terminating: false
    nodeName: node-1
    targetRef:
      kind: Pod
      name: web-0
  kind: EndpointSlice
  metadata:
    labels:
      endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io
      kubernetes.io/service-name: web
    name: web-x7k2p
    namespace: shop
  ports:
  - name: http
    port: 8080
    protocol: TCP
- apiVersion: v1
  kind: Node
  metadata:
    labels:
      topology.kubernetes.io/zone: zone-a
    name: node-1
  spec:
    podCIDR: 10.244.1.0/24
  status:
    addresses:
    - address: 10.0.0.1
      type: InternalIP
- apiVersion: networking.k8s.io/v1
  kind: ServiceCIDR
  metadata:
    name: kubernetes
  spec:
    cidrs:
    - 10.96.0.0/16
kind: List
metadata:
  resourceVersion: \"\"
",
    )]);
    assert_eq!(problems(&snapshot), [""; 0]);
    assert_eq!(services(&snapshot)[0].name, ObjectName::new("shop", "web"));
    assert_eq!(slices(&snapshot)[0].service, ObjectName::new("shop", "web"));
    let Update::NodeApplied(node) = &snapshot.updates[2] else { panic!("{snapshot:?}") };
    assert_eq!(node.zone.as_deref(), Some("zone-a"));
    let service_cidrs = Update::ServiceCidrsReset(vec!["10.96.0.0/16".parse().unwrap()]);
    assert_eq!(snapshot.updates[3], service_cidrs);
}

#[test]
fn lists_of_one_kind_and_lists_in_lists_are_read() {
    let snapshot = read(&[
        (
            "services.json",
            r#"{"kind": "ServiceList", "apiVersion": "v1", "metadata": {}, "items": [
                {"metadata": {"name": "a"}, "spec": {"clusterIP": "10.0.0.1"}}, null]}"#,
        ),
        (
            "slices.yaml",
            "kind: EndpointSliceList\napiVersion: discovery.k8s.io/v1\nitems:\n- addressType: \
             IPv6\n  metadata: {name: a-1, labels: {kubernetes.io/service-name: a}}\n",
        ),
        (
            "nested.yaml",
            "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: List, items: [{\
             apiVersion: v1, kind: Service, metadata: {name: b}, spec: {clusterIP: 10.0.0.2}}]}]}",
        ),
    ]);
    assert_eq!(problems(&snapshot), [""; 0]);
    assert_eq!(names(&snapshot), ["a", "b"]);
    assert_eq!(slices(&snapshot)[0].name, default_name("a-1"));
}

#[test]
fn other_kinds_are_ignored_even_if_their_names_are_ours() {
    let snapshot = read(&[(
        "a.yaml",
        "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {ports: 7}}
---
{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: x}, spec: {ports: 7}}
---
{apiVersion: v1, kind: Endpoints, metadata: {name: x}, subsets: []}
---
{apiVersion: example.org/v1, kind: Playlist, metadata: {name: x}}
",
    )]);
    assert_eq!(snapshot.updates, read(&[]).updates);
    assert_eq!(snapshot.problems, []);
    assert_eq!(snapshot.contents, Contents { ignored: 4, ..Contents::default() });
}

#[test]
fn an_object_that_is_not_one_is_named() {
    for (text, problem) in [
        ("apiVersion: v1\n", "kind is missing"),
        ("kind: 7\napiVersion: v1\n", "kind is missing or not a text"),
        ("kind: Service\n", "Service: apiVersion is missing"),
        ("apiVersion: v1\nkind: Service\n", "Service without metadata"),
        (
            "apiVersion: v1\nkind: Service\nmetadata: {name: 7}\n",
            "Service whose metadata.name is a number",
        ),
        ("apiVersion: v1\nkind: List\nitems: [x]\n", "a text where an item of a list is expected"),
        ("apiVersion: v1\nkind: List\nitems: [{}]\n", "kind is missing"),
    ] {
        let problems = problems(&read(&[("a.yaml", text)]));
        let start = format!("a.yaml, document 1, line 1: {problem}");
        assert!(matches!(&problems[..], [only] if only.starts_with(&start)), "{problems:?}");
    }
}

#[test]
fn a_bad_field_is_named_with_file_document_and_object() {
    let text = format!(
        "---\n{}---\napiVersion: v1\nkind: Service\nmetadata: {{name: b}}\nspec:\n  \
         clusterIP: 10.0.0.2\n  ports: [{{port: \"80\"}}, {{port: 443}}]\n",
        service_yaml("a", "10.0.0.1")
    );
    let snapshot = read(&[("web.yaml", &text)]);
    assert_eq!(services(&snapshot)[1].ports.len(), 1);
    assert_eq!(
        problems(&snapshot),
        ["web.yaml, document 2, line 11: Service default/b: spec.ports[0].port: a text where an \
          integer is expected; the port is skipped"]
    );
}

#[test]
fn of_an_object_that_stands_twice_the_first_by_file_name_is_served() {
    let snapshot = read(&[
        ("b.yaml", &service_yaml("web", "10.0.0.2")),
        ("a.yaml", &service_yaml("web", "10.0.0.1")),
        ("c.yaml", &(service_yaml("db", "10.0.0.3") + "---\n" + &service_yaml("db", "10.0.0.4"))),
    ]);
    let addresses: Vec<_> =
        services(&snapshot).iter().map(|s| s.cluster_ips[0].to_string()).collect();
    assert_eq!(addresses, ["10.0.0.3", "10.0.0.1"]);
    let problems = problems(&snapshot);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0]
            .starts_with("b.yaml, document 1, line 1: Service default/web: stands there twice")
    );
    assert!(
        problems[1]
            .starts_with("c.yaml, document 2, line 10: Service default/db: stands there twice")
    );
}

#[test]
fn service_cidrs_are_the_union_of_all_objects_sorted_and_each_once() {
    let cidr = |name, cidrs| {
        format!(
            "{{apiVersion: networking.k8s.io/v1, kind: ServiceCIDR, metadata: {{name: {name}}}, \
             spec: {{cidrs: {cidrs}}}}}"
        )
    };
    let snapshot = read(&[
        ("a.yaml", &cidr("kubernetes", "[10.96.0.0/16, \"fd00::/112\"]")),
        ("b.yaml", &cidr("extra", "[10.90.0.0/16, 10.96.0.0/16]")),
    ]);
    let networks = ["10.90.0.0/16", "10.96.0.0/16", "fd00::/112"];
    let networks = networks.map(|network| network.parse().unwrap()).to_vec();
    assert_eq!(snapshot.updates.last(), Some(&Update::ServiceCidrsReset(networks)));
}

#[test]
fn only_the_node_of_this_name_is_ours() {
    let node = |name| format!("{{apiVersion: v1, kind: Node, metadata: {{name: {name}}}}}");
    let nodes = |snapshot: Snapshot| {
        snapshot.updates.iter().filter(|update| matches!(update, Update::NodeApplied(_))).count()
    };
    assert_eq!(nodes(read(&[("a.yaml", &node("node-1")), ("b.yaml", &node("node-2"))])), 1);
    assert_eq!(nodes(read(&[("b.yaml", &node("node-2"))])), 0);
}
