//! What is said of NodePorts on `::1`.

use portolan_core::{ObjectName, Protocol};
use serde::{Deserialize, Serialize};

/// How the relay of NodePorts on `::1` is. Numbers count since the start of the agent, but
/// for `connections` and `flows`, which are those of now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoopbackReport {
    /// The NodePorts that somebody serves, by protocol and number.
    pub ports: Vec<LoopbackPort>,
    /// TCP connections now.
    pub connections: u64,
    /// TCP connections that were taken.
    pub accepted: u64,
    /// TCP connections that were reset because there were too many.
    pub over_limit: u64,
    /// TCP connections that were reset because no endpoint took them.
    pub unreachable: u64,
    /// UDP flows now.
    pub flows: u64,
    /// UDP flows that began.
    pub flows_begun: u64,
    /// UDP flows that ended early to make place for new ones.
    pub flows_displaced: u64,
    /// Datagrams that reached neither endpoint nor client, as far as this node knows.
    pub datagrams_dropped: u64,
}

/// One NodePort on `::1`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoopbackPort {
    /// The Service.
    pub service: ObjectName,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// The number, host byte order.
    pub port: u16,
    /// Whether it is served.
    pub state: PortState,
    /// Connections or flows now, but for connections that are older than an interruption
    /// of the port.
    pub active: u64,
}

/// Whether a NodePort is served on `::1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PortState {
    /// It is about to be.
    Opening,
    /// It is.
    Open,
    /// It cannot be listened on for this reason, and is tried again.
    Failed(String),
}
