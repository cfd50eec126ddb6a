//! What a source reports.

use ipnet::IpNet;

use crate::model::{EndpointSlice, NodeInfo, ObjectName, Service};

/// One event from a source. Sources are interchangeable: both the API server and a
/// directory of YAML are reduced to these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// A Service was added or changed.
    ServiceApplied(Service),
    /// A Service is gone.
    ServiceDeleted(ObjectName),
    /// All Services that exist; what is not listed is gone. The first one of these, with
    /// the first [`Update::EndpointSlicesReset`], completes the initial state.
    ServicesReset(Vec<Service>),
    /// An EndpointSlice was added or changed.
    EndpointSliceApplied(EndpointSlice),
    /// An EndpointSlice (by its own name) is gone.
    EndpointSliceDeleted(ObjectName),
    /// All EndpointSlices that exist; what is not listed is gone.
    EndpointSlicesReset(Vec<EndpointSlice>),
    /// This node's object was added or changed.
    NodeApplied(NodeInfo),
    /// This node's object is gone; its last state stays in use.
    NodeDeleted,
    /// All networks of all ServiceCIDR objects.
    ServiceCidrsReset(Vec<IpNet>),
}
