//! Each bad input costs itself and nothing else, and is named.

use serde_json::{Value, json};

use super::*;

fn convert(kind: ObjectKind, manifest: &Value) -> Converted {
    let manifest: Manifest = serde_json::from_value(manifest.clone()).unwrap();
    Converter::new("node-1").convert(kind, &manifest).unwrap()
}

/// `base` with the value at a JSON pointer replaced.
fn with(base: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = base.clone();
    *changed.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
    changed
}

fn service_manifest() -> Value {
    json!({
        "metadata": {
            "name": "web", "namespace": "shop", "labels": {},
            "annotations": {
                "portolan.dev/tcp-when-endpoint-gone": "reset",
                "portolan.dev/ipvs-scheduler": "mh,mh-port",
                "x": "y",
            },
            "creationTimestamp": "2024-01-02T03:04:05Z",
        },
        "spec": {
            "type": "LoadBalancer",
            "clusterIP": "10.96.0.10", "clusterIPs": ["10.96.0.10", "fd00::10"],
            "ipFamilies": ["IPv4", "IPv6"],
            "ports": [
                {"name": "http", "protocol": "TCP", "port": 80, "nodePort": 30080},
                {"name": "dns", "protocol": "UDP", "port": 53, "nodePort": 30053},
            ],
            "externalIPs": ["192.0.2.1", "2001:db8::1"],
            "loadBalancerSourceRanges": ["203.0.113.0/24", "2001:db8::/32"],
            "externalTrafficPolicy": "Local", "internalTrafficPolicy": "Cluster",
            "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},
            "healthCheckNodePort": 32000,
        },
        "status": {"loadBalancer": {"ingress": [
            {"ip": "198.51.100.1", "ipMode": "VIP"}, {"ip": "198.51.100.2", "ipMode": "Proxy"},
            {"hostname": "lb.example"}, {"ip": "2001:db8::2"},
        ]}},
    })
}

fn service(manifest: &Value) -> (Option<Service>, Vec<String>) {
    let converted = convert(ObjectKind::Service, manifest);
    let service = converted.object.map(|object| match object {
        Object::Service(service) => service,
        other => panic!("{other:?}"),
    });
    (service, converted.problems.iter().map(ToString::to_string).collect())
}

fn served(manifest: &Value) -> Service {
    service(manifest).0.unwrap_or_else(|| panic!("not served: {manifest}"))
}

const TRIGGER_TIME: &str = "endpoints.kubernetes.io/last-change-trigger-time";

fn slice_manifest() -> Value {
    json!({
        "metadata": {
            "name": "web-abcde", "namespace": "shop",
            "labels": {"kubernetes.io/service-name": "web"},
            "annotations": {TRIGGER_TIME: "2024-05-05T08:04:00.250000001Z"},
        },
        "addressType": "IPv4",
        "ports": [
            {"name": "http", "protocol": "TCP", "port": 8080},
            {"name": "dns", "protocol": "UDP", "port": 53},
        ],
        "endpoints": [
            {
                "addresses": ["10.244.1.1"], "nodeName": "node-1",
                "conditions": {"ready": true, "serving": true, "terminating": false},
                "hints": {"forZones": [{"name": "zone-a"}], "forNodes": [{"name": "node-1"}]},
            },
            {"addresses": ["10.244.1.2"], "conditions": {}, "hints": {}},
        ],
    })
}

fn slice(manifest: &Value) -> (Option<EndpointSlice>, Vec<String>) {
    let converted = convert(ObjectKind::EndpointSlice, manifest);
    let slice = converted.object.map(|object| match object {
        Object::EndpointSlice(slice) => slice,
        other => panic!("{other:?}"),
    });
    (slice, converted.problems.iter().map(ToString::to_string).collect())
}

mod annotations;
mod endpoint_slices;
mod nodes;
mod service_addresses;
mod services;
