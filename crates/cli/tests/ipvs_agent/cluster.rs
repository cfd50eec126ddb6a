//! One Service of both families and both protocols, and some that nobody uses.

use std::net::{IpAddr, SocketAddr};

use portolan_lab::{Protocol, TopologySpec, Use};
use serde_json::{Value, json};

/// Services that are there to be programmed: the more, the longer a change takes.
const IDLE: u8 = 6;
const PODS: u8 = 4;
const TCP_PORT: u16 = 8080;
const UDP_PORT: u16 = 5353;
const NODE_PORT: u16 = 30080;

pub(crate) const NODE_NETWORKS: &str = "192.168.0.0/24,2001:db8::/64";
pub(crate) const POD_NETWORKS: &str = "10.180.0.0/16,fd00:10:180::/48";

/// The addresses of one family.
struct Addresses {
    family: &'static str,
    pods: &'static str,
    client_pod: &'static str,
    outside: &'static str,
    node: &'static str,
    cluster: &'static str,
    idle: &'static str,
    balancer: &'static str,
    service_network: &'static str,
}

const FAMILIES: [Addresses; 2] = [
    Addresses {
        family: "IPv4",
        pods: "10.180.0.",
        client_pod: "10.180.0.99",
        outside: "192.168.0.100",
        node: "192.168.0.2",
        cluster: "172.30.0.10",
        idle: "172.30.1.",
        balancer: "1.2.3.4",
        service_network: "172.30.0.0/16",
    },
    Addresses {
        family: "IPv6",
        pods: "fd00:10:180::",
        client_pod: "fd00:10:180::99",
        outside: "2001:db8::100",
        node: "2001:db8::1",
        cluster: "fd00:172:30::10",
        idle: "fd00:172:30::1:",
        balancer: "2001:db8:5::4",
        service_network: "fd00:172:30::/64",
    },
];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn pods(addresses: &Addresses) -> impl Iterator<Item = (IpAddr, bool)> {
    (1..=PODS).map(|number| (ip(&format!("{}{number}", addresses.pods)), number % 2 == 0))
}

/// The node and everybody around it: half of the pods are on other nodes.
pub(crate) fn topology() -> TopologySpec {
    let mut spec = TopologySpec::default();
    for addresses in &FAMILIES {
        for (pod, is_here) in pods(addresses) {
            spec = if is_here { spec.pod(pod) } else { spec.remote_pod(pod) };
            spec = spec.server(pod, Protocol::Tcp, TCP_PORT).server(pod, Protocol::Udp, UDP_PORT);
        }
        spec = spec.pod(ip(addresses.client_pod)).client(ip(addresses.outside));
    }
    spec
}

/// Clients and the addresses of the Service that they use.
pub(crate) fn uses() -> Vec<Use> {
    let of_family = |it: &Addresses| {
        let at = |address: &str, port| SocketAddr::new(ip(address), port);
        [
            (ip(it.client_pod), at(it.cluster, 80)),
            (ip(it.outside), at(it.node, NODE_PORT)),
            (ip(it.node), at(it.cluster, 80)),
            (ip(it.outside), at(it.balancer, 80)),
            (ip(it.client_pod), at(it.balancer, 80)),
        ]
    };
    FAMILIES.iter().flat_map(of_family).collect()
}

/// The ClusterIPs of the Service that is used.
pub(crate) fn cluster_ips() -> [IpAddr; 2] {
    FAMILIES.each_ref().map(|it| ip(it.cluster))
}

/// All objects, one after the other. An emulated machine reads JSON much faster than YAML.
pub(crate) fn manifests() -> String {
    let [v4, v6] = &FAMILIES;
    let cidrs = [v4.service_network, v6.service_network];
    let mut objects = vec![json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR",
        "metadata": {"name": "kubernetes"}, "spec": {"cidrs": cidrs},
    })];
    let mut used = service("echo", [v4.cluster, v6.cluster]);
    used["spec"]["type"] = json!("LoadBalancer");
    used["spec"]["ports"][0]["nodePort"] = json!(NODE_PORT);
    used["spec"]["ports"][1]["nodePort"] = json!(NODE_PORT);
    used["status"] =
        json!({"loadBalancer": {"ingress": [{"ip": v4.balancer}, {"ip": v6.balancer}]}});
    objects.push(used);
    objects.extend(FAMILIES.iter().map(|addresses| slice("echo", addresses)));
    for number in 1..=IDLE {
        let name = format!("idle-{number}");
        let address = |it: &Addresses| format!("{}{number}", it.idle);
        objects.push(service(&name, [&address(v4), &address(v6)]));
        objects.extend(FAMILIES.iter().map(|addresses| slice(&name, addresses)));
    }
    objects.iter().map(|object| format!("{object}\n")).collect()
}

fn service(name: &str, [v4, v6]: [&str; 2]) -> Value {
    let port = |name, protocol| json!({"name": name, "port": 80, "protocol": protocol});
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "type": "ClusterIP", "clusterIP": v4, "clusterIPs": [v4, v6],
            "ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv4", "IPv6"],
            "ports": [port("tcp", "TCP"), port("udp", "UDP")],
        },
    })
}

fn slice(service: &str, addresses: &Addresses) -> Value {
    let endpoint = |(pod, is_here)| json!({"addresses": [pod], "nodeName": if is_here { "here" } else { "there" }});
    let endpoints: Vec<Value> = pods(addresses).map(endpoint).collect();
    let labels = json!({"kubernetes.io/service-name": service});
    let name = format!("{service}-{}", addresses.family.to_lowercase());
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "addressType": addresses.family,
        "ports": [
            {"name": "tcp", "port": TCP_PORT, "protocol": "TCP"},
            {"name": "udp", "port": UDP_PORT, "protocol": "UDP"},
        ],
        "endpoints": endpoints,
    })
}
