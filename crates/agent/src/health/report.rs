//! The answers, in the form of kube-proxy's.

use std::collections::BTreeMap;

use hyper::StatusCode;
use jiff::Timestamp;
use portolan_core::Family;
use serde::Serialize;
use tokio::time::Instant;

use super::Health;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    /// Now if all is well, else the last successful sync; null before the first.
    last_updated: Option<Timestamp>,
    current_time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_eligible: Option<bool>,
    healthy: bool,
    /// By family; both are programmed together. Empty before the first sync.
    status: BTreeMap<String, FamilyReport>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FamilyReport {
    last_updated: Timestamp,
    healthy: bool,
}

/// Status and JSON body for a path, if there is such a path.
pub(super) fn answer(
    path: &str,
    health: &Health,
    now: Instant,
    current_time: Timestamp,
) -> Option<(StatusCode, String)> {
    let eligible = !health.node_leaving;
    let (healthy, node_eligible) = match path {
        "/livez" => (health.live(now), None),
        "/readyz" => (health.ready(now), None),
        "/healthz" => (health.ready(now), Some(eligible)),
        _ => return None,
    };
    let ok = healthy && node_eligible.unwrap_or(true);
    let families = health.last_sync.into_iter().flat_map(|last_sync| {
        Family::BOTH
            .map(|family| (family.to_string(), FamilyReport { last_updated: last_sync, healthy }))
    });
    let report = Report {
        last_updated: if ok { Some(current_time) } else { health.last_sync },
        current_time,
        node_eligible,
        healthy,
        status: families.collect(),
    };
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    // Only maps with keys that are not texts cannot be written, and there are none.
    Some((status, serde_json::to_string(&report).unwrap_or_default()))
}
