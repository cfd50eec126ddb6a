//! EndpointSlices.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};

use super::network::{pod_v4, pod_v6};
use super::service::{Port, ports};
use super::shares::Traits;
use super::{Cluster, metadata, names};

/// Slices of IPv6 have other names than those of IPv4.
const V6_SEED: u32 = 1_000;

impl Cluster {
    /// All slices of a service.
    pub(super) fn slices(&self, service: u32) -> Vec<Value> {
        let pods = self.pods(service);
        (0..pods.len()).flat_map(|place| self.slice(service, place, &pods)).collect()
    }

    /// The slice at a place, of each family that the service has.
    pub(super) fn slice(&self, service: u32, place: usize, pods: &[Vec<u32>]) -> Vec<Value> {
        let traits = self.traits(service);
        let pods = pods.get(place).map(Vec::as_slice).unwrap_or_default();
        let seed = u32::try_from(place).unwrap_or(u32::MAX);
        let v4 = self.slice_of(service, seed, &traits, pods, &|pod| pod_v4(pod).into());
        let mut slices = vec![v4];
        if traits.dual_stack {
            let seed = seed + V6_SEED;
            slices.push(self.slice_of(service, seed, &traits, pods, &|pod| pod_v6(pod).into()));
        }
        slices
    }

    /// The only slice of a service for traffic.
    pub(super) fn slice_of_target(
        &self,
        service: u32,
        traits: &Traits,
        endpoint: SocketAddr,
    ) -> Value {
        let mut slice = self.slice_of(service, 0, traits, &[0], &|_| endpoint.ip());
        if let Some(port) = slice.pointer_mut("/ports/0/port") {
            *port = endpoint.port().into();
        }
        slice
    }

    fn slice_of(
        &self,
        service: u32,
        seed: u32,
        traits: &Traits,
        pods: &[u32],
        address: &dyn Fn(u32) -> IpAddr,
    ) -> Value {
        let name = names::slice(service, seed);
        let endpoints = pods.iter().map(|pod| self.endpoint(service, *pod, address(*pod)));
        let family = if seed < V6_SEED { "IPv4" } else { "IPv6" };
        let slice = json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata::of_slice(service, &name),
            "addressType": family,
            "endpoints": endpoints.collect::<Vec<_>>(),
            "ports": ports(service, traits).into_iter().map(slice_port).collect::<Vec<_>>(),
        });
        self.managed(slice, "kube-controller-manager", service)
    }

    fn endpoint(&self, service: u32, pod: u32, address: IpAddr) -> Value {
        let node = self.node_of(pod);
        json!({
            "addresses": [address],
            "conditions": {"ready": true, "serving": true, "terminating": false},
            "nodeName": names::node(node),
            "zone": self.zone_of(node),
            "targetRef": {
                "kind": "Pod",
                "namespace": names::namespace(service),
                "name": names::pod(service, pod),
                "uid": names::uid("Pod", pod),
            },
        })
    }
}

fn slice_port(port: Port) -> Value {
    json!({"name": port.name, "protocol": port.protocol, "port": port.target})
}
