//! The node that is measured, and what the cluster says about addresses.

use serde_json::{Value, json};

use super::network::{SERVICE_NETWORK_V4, SERVICE_NETWORK_V6};
use super::{Cluster, names};

/// The node that is measured: the node number zero.
pub(crate) const NODE_NAME: &str = "ip-10-64-0-0.eu-central-1.compute.internal";

/// The main addresses that the lab gives its node.
const NODE_ADDRESSES: [&str; 2] = ["192.168.0.2", "2001:db8::1"];

/// Pods of one node, a common limit of real ones.
const PODS_OF_A_NODE: u32 = 30;

impl Cluster {
    /// The node that a pod runs on. Pods of one service are on nodes far apart.
    pub(super) fn node_of(&self, pod: u32) -> u32 {
        let pods = self.spec.services.max(1).saturating_mul(self.spec.endpoints.max(1));
        let nodes = pods.div_ceil(PODS_OF_A_NODE).clamp(3, 5_000);
        pod.wrapping_mul(7_919) % nodes
    }

    pub(super) fn zone_of(&self, node: u32) -> String {
        names::zone(node % self.spec.zones.max(1))
    }

    pub(super) fn node(&self) -> Value {
        let addresses = NODE_ADDRESSES.map(|it| json!({"type": "InternalIP", "address": it}));
        json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": NODE_NAME,
                "uid": names::uid("Node", 0),
                "creationTimestamp": super::metadata::created(0),
                "labels": {
                    "kubernetes.io/hostname": NODE_NAME,
                    "topology.kubernetes.io/region": "eu-central-1",
                    "topology.kubernetes.io/zone": self.zone_of(0),
                },
            },
            "spec": {"podCIDR": "10.128.0.0/24", "podCIDRs": ["10.128.0.0/24"]},
            "status": {"addresses": addresses},
        })
    }

    pub(super) fn service_cidr(&self) -> Value {
        json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "ServiceCIDR",
            "metadata": {
                "name": "kubernetes",
                "uid": names::uid("ServiceCIDR", 0),
                "creationTimestamp": super::metadata::created(0),
            },
            "spec": {"cidrs": [SERVICE_NETWORK_V4, SERVICE_NETWORK_V6]},
            "status": {"conditions": [{
                "type": "Ready",
                "status": "True",
                "lastTransitionTime": super::metadata::created(0),
                "reason": "",
                "message": "Kubernetes Service CIDR is ready",
            }]},
        })
    }
}
