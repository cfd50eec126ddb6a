//! The fields that Portolan reads, of all the kinds that it reads.
//!
//! One type for every kind: a file may say of what kind an object is only after its
//! fields, and a `List` mixes kinds. Since a [`Field`] accepts anything, what another
//! kind keeps under the same name does no harm. All other fields are skipped while
//! parsing and never take memory.

use serde::Deserialize;
use serde::de::MapAccess;

use crate::field::{Field, List, Readable, structure};
use crate::watched_keys::WatchedKeys;

/// Any object, or a list of objects.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Manifest {
    pub(crate) api_version: Field<String>,
    pub(crate) kind: Field<String>,
    pub(crate) metadata: Field<Metadata>,
    pub(crate) spec: Field<Spec>,
    pub(crate) status: Field<Status>,
    /// EndpointSlice.
    pub(crate) address_type: Field<String>,
    /// EndpointSlice.
    pub(crate) ports: List<SlicePort>,
    /// EndpointSlice.
    pub(crate) endpoints: List<SliceEndpoint>,
    /// `List` and `…List`.
    pub(crate) items: List<Manifest>,
}

/// `metadata`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) name: Field<String>,
    pub(crate) namespace: Field<String>,
    pub(crate) resource_version: Field<String>,
    pub(crate) creation_timestamp: Field<String>,
    pub(crate) deletion_timestamp: Field<String>,
    pub(crate) labels: Field<Labels>,
    pub(crate) annotations: Field<Annotations>,
}

/// `metadata.labels`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Labels {
    #[serde(rename = "service.kubernetes.io/service-proxy-name")]
    pub(crate) service_proxy_name: Field<String>,
    #[serde(rename = "service.kubernetes.io/headless")]
    pub(crate) headless: Field<String>,
    #[serde(rename = "kubernetes.io/service-name")]
    pub(crate) service_name: Field<String>,
    #[serde(rename = "topology.kubernetes.io/zone")]
    pub(crate) zone: Field<String>,
}

/// `metadata.annotations`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Annotations {
    #[serde(rename = "portolan.dev/tcp-when-endpoint-gone")]
    pub(crate) tcp_when_endpoint_gone: Field<String>,
    #[serde(rename = "portolan.dev/ipvs-scheduler")]
    pub(crate) ipvs_scheduler: Field<String>,
    #[serde(rename = "kube-router.io/service.scheduler")]
    pub(crate) kube_router_scheduler: Field<String>,
    #[serde(rename = "kube-router.io/service.schedflags")]
    pub(crate) kube_router_schedflags: Field<String>,
    #[serde(rename = "endpoints.kubernetes.io/last-change-trigger-time")]
    pub(crate) last_change_trigger_time: Field<String>,
    /// The keys that begin with [`OWN_PREFIX`], known or not.
    #[serde(skip)]
    pub(crate) own: Vec<String>,
}

/// What the annotations begin with that are read by nobody else.
pub(crate) const OWN_PREFIX: &str = "portolan.dev/";

impl Readable for Annotations {
    const EXPECTED: &'static str = "a mapping";

    fn from_mapping<'de, A: MapAccess<'de>>(mapping: A) -> Result<Option<Self>, A::Error> {
        let mut own = Vec::new();
        let watched = WatchedKeys { mapping, own: &mut own };
        let annotations: Option<Annotations> = structure(watched)?;
        Ok(annotations.map(|annotations| Annotations { own, ..annotations }))
    }
}

/// `spec` of Service, Node and ServiceCIDR.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Spec {
    // Service
    pub(crate) r#type: Field<String>,
    #[serde(rename = "clusterIP")]
    pub(crate) cluster_ip: Field<String>,
    #[serde(rename = "clusterIPs")]
    pub(crate) cluster_ips: List<String>,
    pub(crate) ip_families: List<String>,
    pub(crate) ports: List<ServicePort>,
    #[serde(rename = "externalIPs")]
    pub(crate) external_ips: List<String>,
    pub(crate) load_balancer_source_ranges: List<String>,
    pub(crate) external_traffic_policy: Field<String>,
    pub(crate) internal_traffic_policy: Field<String>,
    pub(crate) session_affinity: Field<String>,
    pub(crate) session_affinity_config: Field<SessionAffinityConfig>,
    pub(crate) health_check_node_port: Field<i64>,
    // Node
    #[serde(rename = "podCIDR")]
    pub(crate) pod_cidr: Field<String>,
    #[serde(rename = "podCIDRs")]
    pub(crate) pod_cidrs: List<String>,
    pub(crate) taints: List<Taint>,
    // ServiceCIDR
    pub(crate) cidrs: List<String>,
}

/// `Service.spec.ports[]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ServicePort {
    pub(crate) name: Field<String>,
    pub(crate) protocol: Field<String>,
    pub(crate) port: Field<i64>,
    pub(crate) node_port: Field<i64>,
}

/// `Service.spec.sessionAffinityConfig`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct SessionAffinityConfig {
    #[serde(rename = "clientIP")]
    pub(crate) client_ip: Field<ClientIpConfig>,
}

/// `Service.spec.sessionAffinityConfig.clientIP`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ClientIpConfig {
    pub(crate) timeout_seconds: Field<i64>,
}

/// `Node.spec.taints[]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Taint {
    pub(crate) key: Field<String>,
}

/// `status` of Service and Node.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Status {
    // Service
    pub(crate) load_balancer: Field<LoadBalancerStatus>,
    // Node
    pub(crate) addresses: List<NodeAddress>,
}

/// `Service.status.loadBalancer`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct LoadBalancerStatus {
    pub(crate) ingress: List<Ingress>,
}

/// `Service.status.loadBalancer.ingress[]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Ingress {
    pub(crate) ip: Field<String>,
    pub(crate) ip_mode: Field<String>,
}

/// `Node.status.addresses[]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct NodeAddress {
    pub(crate) r#type: Field<String>,
    pub(crate) address: Field<String>,
}

/// `EndpointSlice.ports[]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct SlicePort {
    pub(crate) name: Field<String>,
    pub(crate) protocol: Field<String>,
    pub(crate) port: Field<i64>,
}

/// `EndpointSlice.endpoints[]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct SliceEndpoint {
    pub(crate) addresses: List<String>,
    pub(crate) conditions: Field<EndpointConditions>,
    pub(crate) node_name: Field<String>,
    pub(crate) hints: Field<EndpointHints>,
}

/// `EndpointSlice.endpoints[].conditions`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct EndpointConditions {
    pub(crate) ready: Field<bool>,
    pub(crate) serving: Field<bool>,
    pub(crate) terminating: Field<bool>,
}

/// `EndpointSlice.endpoints[].hints`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct EndpointHints {
    pub(crate) for_zones: List<Named>,
    pub(crate) for_nodes: List<Named>,
}

/// `EndpointSlice.endpoints[].hints.forZones[]` and `forNodes[]`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct Named {
    pub(crate) name: Field<String>,
}

macro_rules! readable_from_mapping {
    ($($structure:ty),* $(,)?) => {
        $(impl Readable for $structure {
            const EXPECTED: &'static str = "a mapping";

            fn from_mapping<'de, A: MapAccess<'de>>(mapping: A) -> Result<Option<Self>, A::Error> {
                structure(mapping)
            }
        })*
    };
}

readable_from_mapping!(
    Manifest,
    Metadata,
    Labels,
    Spec,
    ServicePort,
    SessionAffinityConfig,
    ClientIpConfig,
    Taint,
    Status,
    LoadBalancerStatus,
    Ingress,
    NodeAddress,
    SlicePort,
    SliceEndpoint,
    EndpointConditions,
    EndpointHints,
    Named,
);
