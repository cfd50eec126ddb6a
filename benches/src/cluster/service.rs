//! Services.

use serde_json::{Value, json};

use super::network::{cluster_ip_v4, cluster_ip_v6, load_balancer_v4};
use super::shares::Traits;
use super::{Cluster, metadata, names};

/// A port of a service and of its endpoints.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port {
    pub(super) name: &'static str,
    pub(super) protocol: &'static str,
    pub(super) port: u16,
    pub(super) target: u16,
}

/// The port of services that traffic is sent to.
pub(super) const TARGET_PORT: Port = Port { name: "http", protocol: "TCP", port: 80, target: 8080 };

/// Every eighth service has a second port, for metrics.
pub(super) fn ports(service: u32, traits: &Traits) -> Vec<Port> {
    let protocol = if traits.udp { "UDP" } else { "TCP" };
    let main = Port { protocol, ..TARGET_PORT };
    match service % 8 {
        3 => vec![main, Port { name: "metrics", protocol: "TCP", port: 9090, target: 9102 }],
        _ => vec![main],
    }
}

impl Cluster {
    pub(super) fn service(&self, number: u32) -> Value {
        self.service_of(number, &self.traits(number))
    }

    pub(super) fn service_of(&self, number: u32, traits: &Traits) -> Value {
        let service = json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata::of_service(number),
            "spec": self.spec_of(number, traits),
            "status": status(number, traits),
        });
        self.managed(service, "helm", number)
    }

    fn spec_of(&self, number: u32, traits: &Traits) -> Value {
        let node_port = self.node_ports.get(&number).filter(|_| traits.node_port);
        let mut spec = json!({
            "clusterIP": cluster_ip_v4(number),
            "clusterIPs": [cluster_ip_v4(number)],
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
            "ports": service_ports(number, traits, node_port.copied()),
            "selector": {
                "app.kubernetes.io/name": names::service(number),
                "app.kubernetes.io/instance": format!("{}-release", names::service(number)),
            },
            "sessionAffinity": if traits.affinity { "ClientIP" } else { "None" },
            "type": service_type(node_port.is_some(), traits),
        });
        let Some(fields) = spec.as_object_mut() else { return spec };
        let mut set = |name: &str, value: Value| {
            fields.insert(name.to_owned(), value);
        };
        if traits.dual_stack {
            set(
                "clusterIPs",
                json!([cluster_ip_v4(number).to_string(), cluster_ip_v6(number).to_string()]),
            );
            set("ipFamilies", json!(["IPv4", "IPv6"]));
            set("ipFamilyPolicy", json!("RequireDualStack"));
        }
        if traits.affinity {
            set("sessionAffinityConfig", json!({"clientIP": {"timeoutSeconds": 10_800}}));
        }
        if node_port.is_some() || traits.load_balancer {
            let policy = if traits.local { "Local" } else { "Cluster" };
            set("externalTrafficPolicy", json!(policy));
            set("allocateLoadBalancerNodePorts", json!(node_port.is_some()));
        }
        spec
    }
}

fn service_type(node_port: bool, traits: &Traits) -> &'static str {
    match (traits.load_balancer, node_port) {
        (true, _) => "LoadBalancer",
        (false, true) => "NodePort",
        (false, false) => "ClusterIP",
    }
}

/// A NodePort goes to the first port alone: one is enough to be served.
fn service_ports(number: u32, traits: &Traits, mut node_port: Option<u16>) -> Vec<Value> {
    let port = |port: Port| {
        let mut value = json!({
            "name": port.name,
            "protocol": port.protocol,
            "port": port.port,
            "targetPort": port.target,
        });
        if let (Some(fields), Some(number)) = (value.as_object_mut(), node_port.take()) {
            fields.insert("nodePort".to_owned(), json!(number));
        }
        value
    };
    ports(number, traits).into_iter().map(port).collect()
}

fn status(number: u32, traits: &Traits) -> Value {
    match traits.load_balancer {
        true => json!({"loadBalancer": {"ingress": [
            {"ip": load_balancer_v4(number), "ipMode": "VIP"}
        ]}}),
        false => json!({"loadBalancer": {}}),
    }
}
