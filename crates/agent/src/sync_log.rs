//! One line for each sync.

use std::time::Duration;

use portolan_core::SyncReport;
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::reconciler::{CHECK_EVERY, Call};

pub(crate) fn succeeded(call: &Call, report: &SyncReport, took: Duration, now: Instant) {
    let put_back = report.added + report.deleted > 0;
    if call.repairs() && put_back {
        warn!(
            added = report.added,
            deleted = report.deleted,
            "others changed what is ours in the kernel, and it was put back. Is another service \
             proxy or a firewall running that flushes the ruleset?"
        );
    }
    info!(
        reason = %call.kind,
        services = call.services,
        added = report.added,
        deleted = report.deleted,
        transactions = report.transactions,
        bytes = report.bytes,
        plan_ms = milliseconds(call.planning),
        backend_ms = milliseconds(took),
        kernel_ms = milliseconds(report.kernel),
        since_event_ms = milliseconds(now.saturating_duration_since(call.since)),
        "synced"
    );
}

pub(crate) fn failed(call: &Call, error: &str, failures: u32, retry_in: Duration) {
    error!(
        reason = %call.kind,
        services = call.services,
        failures,
        retry_in_seconds = retry_in.as_secs(),
        "sync failed, and everything will be compared with the kernel again: {error}"
    );
}

pub(crate) fn unread(error: &str) {
    warn!(
        "cannot find out whether others changed what is ours in the kernel, and try again in {} s; \
         what is served is not in doubt: {error}",
        CHECK_EVERY.as_secs()
    );
}

/// Rounded to microseconds, which is as much as a reader can use.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
