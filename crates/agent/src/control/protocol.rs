//! What is said on the control socket.

use std::sync::Arc;

use jiff::Timestamp;
use portolan_core::explain::{Explained, Question};
use portolan_core::{Draining, ServicePlan};
use portolan_watch::Notice;
use serde::{Deserialize, Serialize};

use super::loopback::LoopbackReport;
use crate::config::BackendKind;

/// The version of this protocol. A side that is newer says so instead of guessing.
pub(crate) const VERSION: u32 = 1;

/// A line from the client.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RequestLine {
    pub(crate) version: u32,
    pub(crate) request: serde_json::Value,
}

/// A line from the agent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct AnswerLine {
    pub(crate) version: u32,
    pub(crate) answer: Answer,
}

/// What a client can ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Request {
    /// Everything the agent serves, as [`Dump`].
    Dump,
    /// New connections are to go through this backend; answered when they do, or at once if
    /// the agent has not begun its first sync.
    Switch(BackendKind),
    /// What becomes of packets, as [`Reasons`].
    Explain(Box<Question>),
}

/// What the agent answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// To [`Request::Dump`].
    Dump(Box<Dump>),
    /// To [`Request::Switch`]: it is done.
    Switched {
        /// Where new connections went before; the same as now if nothing had to be done.
        from: BackendKind,
        /// Connections that stay there.
        draining: Option<Draining>,
    },
    /// To [`Request::Explain`].
    Explained(Box<Reasons>),
    /// The request could not be answered, and why.
    Error(String),
}

/// Everything the agent serves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dump {
    /// How the agent is.
    pub status: Status,
    /// Files, objects and fields that cannot be served as they are now.
    pub problems: Vec<Notice>,
    /// The plans, by namespace and name of the Service.
    pub services: Vec<Arc<ServicePlan>>,
    /// NodePorts on `::1`; `None` if they are not asked for.
    #[serde(default)]
    pub loopback: Option<LoopbackReport>,
}

/// What becomes of packets, and how far that can be relied on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reasons {
    /// How the agent is.
    pub status: Status,
    /// The answer, going by what the agent has planned.
    pub answer: Explained,
}

/// How an agent is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The version of the agent.
    pub version: String,
    /// The node it works for.
    pub node_name: String,
    /// The name of its backend.
    pub backend: String,
    /// Connections that stay where no new ones go.
    #[serde(default)]
    pub draining: Option<Draining>,
    /// Whether every sync takes effect as a whole or not at all.
    pub atomic: bool,
    /// Whether the first complete sync is done.
    pub synced: bool,
    /// Services known, served or not.
    pub service_count: usize,
    /// EndpointSlices known, with or without their Service.
    pub endpoint_slice_count: usize,
    /// Endpoints known, usable or not.
    pub endpoint_count: usize,
    /// Successful syncs since the start.
    pub syncs: u64,
    /// The end of the last of them.
    pub last_sync: Option<Timestamp>,
    /// Failed syncs since then.
    pub failures: u32,
    /// Why the last one failed.
    pub last_error: Option<String>,
    /// Stale flows that were deleted from connection tracking since the start.
    #[serde(default)]
    pub flows_deleted: u64,
    /// Why they could not be looked for or deleted the last time, if so.
    #[serde(default)]
    pub flow_error: Option<String>,
}
