//! What a running agent serves, and how it is, for people to read.

use portolan_agent::control::{Dump, Status};

use crate::draining_text;
use crate::layout::plural;
use crate::loopback_text;
use crate::plan_table::plan_table;

/// How the agent is, the table, and what is wrong.
pub(super) fn text(dump: &Dump) -> String {
    let mut text = format!("{}\n", headline(&dump.status));
    if let Some(error) = &dump.status.last_error {
        text.push_str(&format!(
            "{} failed in a row, the last one because: {error}\n",
            plural(dump.status.failures as usize, "sync", "syncs")
        ));
    }
    text.extend(dump.status.draining.as_ref().map(draining_text::line));
    text.push_str(&flows(&dump.status));
    if let Some(loopback) = &dump.loopback {
        text.push_str(&format!("{}\n", loopback_text::summary(loopback)));
    }
    let plans = dump.services.iter().map(AsRef::as_ref);
    text.push_str(&format!("\n{}", plan_table(plans, dump.loopback.as_ref())));
    if !dump.problems.is_empty() {
        text.push_str("\nNot served as written:\n");
        for problem in &dump.problems {
            text.push_str(&format!("  {problem}\n"));
        }
    }
    text
}

/// What became of stale flows, if anything did.
fn flows(status: &Status) -> String {
    let mut text = String::new();
    if let Ok(deleted @ 1..) = usize::try_from(status.flows_deleted) {
        let flows = plural(deleted, "stale flow", "stale flows");
        text.push_str(&format!("{flows} deleted since the agent started\n"));
    }
    if let Some(error) = &status.flow_error {
        text.push_str(&format!("stale flows cannot be deleted: {error}\n"));
    }
    text
}

/// The node, how it is, and how much it serves.
pub(in crate::commands) fn headline(status: &Status) -> String {
    let sync = match &status.last_sync {
        Some(last_sync) => format!("last sync {last_sync:.0}"),
        None => "not synced yet".to_owned(),
    };
    format!(
        "node {}, {}, {sync}, {}, {}",
        status.node_name,
        status.backend,
        plural(status.service_count, "Service", "Services"),
        plural(status.endpoint_count, "endpoint", "endpoints"),
    )
}

#[cfg(test)]
mod tests {
    use portolan_agent::control::LoopbackReport;

    use super::*;

    #[test]
    fn the_text_starts_with_how_the_agent_is_and_ends_with_what_is_wrong() {
        let problem = "{\"place\":null,\"cause\":{\"Other\":\"shop.yaml: not YAML\"}}";
        let status = Status {
            node_name: "worker-1".to_owned(),
            backend: "nftables".to_owned(),
            service_count: 1,
            endpoint_count: 2,
            failures: 3,
            last_error: Some("the kernel refused".to_owned()),
            flows_deleted: 12,
            flow_error: Some("no connection tracking".to_owned()),
            last_sync: Some("2026-05-04T08:04:00.25Z".parse().unwrap()),
            ..Status::default()
        };
        let problems = vec![serde_json::from_str(problem).unwrap()];
        let loopback = Some(LoopbackReport {
            connections: 1,
            accepted: 20,
            over_limit: 3,
            unreachable: 4,
            flows: 2,
            flows_begun: 60,
            flows_displaced: 7,
            datagrams_dropped: 8,
            ..LoopbackReport::default()
        });
        insta::assert_snapshot!(text(&Dump { status, problems, services: Vec::new(), loopback }));
    }
}
