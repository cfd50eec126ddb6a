//! EndpointSlices.

use std::net::IpAddr;
use std::sync::Arc;

use super::{Family, ObjectName, Protocol};

/// The part of a `discovery.k8s.io/v1` EndpointSlice that a service proxy reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSlice {
    /// Namespace and name of the slice.
    pub name: ObjectName,
    /// The Service named by the label `kubernetes.io/service-name`, same namespace.
    pub service: ObjectName,
    /// `addressType`; FQDN slices never get here.
    pub family: Family,
    /// Ports that have a number; the others are skipped where they are read.
    pub ports: Vec<EndpointPort>,
    /// The endpoints, each with its first address.
    pub endpoints: Vec<Endpoint>,
    /// The annotation `endpoints.kubernetes.io/last-change-trigger-time`, in milliseconds
    /// since the Unix epoch: when the Pod or Service changed that this slice follows. Only
    /// measured, see [`Index::take_triggers`](crate::Index::take_triggers).
    pub trigger_time: Option<i64>,
}

/// One of `EndpointSlice.ports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointPort {
    /// The name; empty if absent.
    pub name: Arc<str>,
    /// The protocol; TCP if absent.
    pub protocol: Protocol,
    /// The number, host byte order, not zero.
    pub port: u16,
}

/// One of `EndpointSlice.endpoints`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// `addresses[0]`; the API says that all addresses of an endpoint are alike.
    pub address: IpAddr,
    /// `conditions`, with the API's defaults filled in.
    pub conditions: Conditions,
    /// `nodeName`.
    pub node_name: Option<Arc<str>>,
    /// `hints`, shared because most endpoints of a slice have the same.
    pub hints: Option<Arc<Hints>>,
}

/// `EndpointSlice.endpoints[].conditions` after defaults: an absent `ready` or `serving`
/// is true, an absent `terminating` is false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conditions {
    /// Takes new connections.
    pub ready: bool,
    /// Would take connections, whether terminating or not.
    pub serving: bool,
    /// Has a deletion timestamp.
    pub terminating: bool,
}

impl Default for Conditions {
    fn default() -> Conditions {
        Conditions { ready: true, serving: true, terminating: false }
    }
}

/// `EndpointSlice.endpoints[].hints`: where the endpoint should be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// `forZones[].name`.
    pub zones: Vec<Arc<str>>,
    /// `forNodes[].name`.
    pub nodes: Vec<Arc<str>>,
}
