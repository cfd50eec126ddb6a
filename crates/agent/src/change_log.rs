//! What a sync changes for each Service, in a line each, for who looks at level debug.

use std::collections::BTreeSet;
use std::fmt::Display;

use portolan_core::{Change, EndpointAddress, PortPlan, ServicePlan};
use tracing::{Level, debug, enabled};

/// More endpoints than this are counted, not listed.
const MOST_LISTED: usize = 8;

/// Says what the backend is about to be told. Costs nothing while nobody listens.
pub(crate) fn log(changes: &[Change]) {
    if !enabled!(Level::DEBUG) {
        return;
    }
    for change in changes {
        debug!(service = %change.service, "{}", describe(change));
    }
}

fn describe(change: &Change) -> String {
    match (change.old.as_deref(), change.new.as_deref()) {
        (None, None) => "nothing to serve".to_owned(),
        (None, Some(new)) => format!("is served: {}", outline(new)),
        (Some(old), None) => format!("is served no more: {}", outline(old)),
        (Some(old), Some(new)) => difference(old, new),
    }
}

fn outline(plan: &ServicePlan) -> String {
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    let (frontends, endpoints) = (frontends(plan).len(), endpoints(plan).len());
    let (more, many) = (plural(frontends), plural(endpoints));
    format!("{frontends} frontend{more}, {endpoints} endpoint{many}")
}

fn difference(old: &ServicePlan, new: &ServicePlan) -> String {
    let mut parts = Vec::new();
    let (before, now) = (frontends(old), frontends(new));
    if before.len() != now.len() {
        parts.push(format!("frontends {} -> {}", before.len(), now.len()));
    } else if before != now {
        parts.push("frontends do something else".to_owned());
    }
    let (before, now) = (endpoints(old), endpoints(new));
    if before != now {
        let come = list("+", now.difference(&before));
        let gone = list("-", before.difference(&now));
        parts.push(format!("endpoints {} -> {}:{come}{gone}", before.len(), now.len()));
    }
    if parts.is_empty() {
        parts.push("policies or pools are others".to_owned());
    }
    parts.join("; ")
}

fn list<T: Display>(sign: &str, items: impl Iterator<Item = T>) -> String {
    let mut text = String::new();
    let mut unlisted = 0;
    for (index, item) in items.enumerate() {
        if index < MOST_LISTED {
            text.push_str(&format!(" {sign}{item}"));
        } else {
            unlisted += 1;
        }
    }
    if unlisted > 0 {
        text.push_str(&format!(" {sign}{unlisted} more"));
    }
    text
}

fn endpoints(plan: &ServicePlan) -> BTreeSet<EndpointAddress> {
    plan.ports.iter().flat_map(|port| port.cluster.iter().chain(&port.local)).copied().collect()
}

/// What stands for all frontends, in the order of the plan.
fn frontends(plan: &ServicePlan) -> Vec<String> {
    let of_port = |port: &PortPlan| -> Vec<String> {
        let (family, protocol) = (port.family, port.protocol);
        port.frontends.iter().map(|it| format!("{family} {protocol} {it:?}")).collect()
    };
    plan.ports.iter().flat_map(of_port).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use portolan_core::{Index, ObjectName, Update};

    use super::*;
    use crate::testing::{service, slice};

    /// The plan of `web` with these endpoints.
    fn plan(endpoints: &[u8]) -> Arc<ServicePlan> {
        let mut index = Index::new("node-a");
        index.apply(Update::ServicesReset(vec![service("web", 1)]));
        index.apply(Update::EndpointSlicesReset(vec![slice("web", endpoints)]));
        index.take_changes();
        Arc::clone(index.plans().next().unwrap())
    }

    fn told(old: Option<&[u8]>, new: Option<&[u8]>) -> String {
        let (old, new) = (old.map(plan), new.map(plan));
        let service = ObjectName::new("default", "web");
        describe(&Change { service, old, new })
    }

    #[test]
    fn a_line_says_what_becomes_of_a_service() {
        let many: Vec<u8> = (1..=12).collect();
        assert_eq!(told(None, Some(&[1, 2])), "is served: 1 frontend, 2 endpoints");
        assert_eq!(told(Some(&[1]), None), "is served no more: 1 frontend, 1 endpoint");
        let replaced = told(Some(&[1, 2]), Some(&[2, 3]));
        assert!(replaced.starts_with("endpoints 2 -> 2: +"), "{replaced}");
        assert_eq!(replaced.matches(" -").count(), 2, "the arrow and one that is gone: {replaced}");
        let emptied = told(Some(&[1]), Some(&[]));
        assert!(
            emptied.starts_with("frontends do something else; endpoints 1 -> 0: -"),
            "{emptied}"
        );
        let grown = told(Some(&[1]), Some(&many));
        assert!(grown.ends_with(" +3 more"), "{grown}");
    }
}
