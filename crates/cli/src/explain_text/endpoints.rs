//! Which endpoints count and why others do not, in words.

use std::sync::Arc;

use portolan_core::Pool;
use portolan_core::explain::{Choice, FoundFrontend, LeftOut, Rule, SlicePort, Taken, WhyNot};

use super::Lines;

/// The endpoints of a pool. Where there are two pools, it is said whose each is.
pub(super) fn describe(lines: &mut Lines, choice: &Choice, found: &FoundFrontend) {
    let whose = match (found.choices.len(), choice.pool) {
        (0 | 1, _) => "",
        (_, Pool::Cluster) => "pods and this node: ",
        (_, Pool::Local) => "everyone else: ",
    };
    lines.push("endpoints", format!("{whose}{}", summary(choice, &found.port_name)));
    for Taken { address, node, here } in &choice.taken {
        lines.below(format!("{address}  {}", place(node.as_ref(), *here)));
    }
    for LeftOut { address, node, here, because } in &choice.left_out {
        let place = place(node.as_ref(), *here);
        lines.below(format!("{address}  {place}, left out: {}", why_not(because)));
    }
    for problem in &choice.unusable {
        lines.below(problem.to_string());
    }
}

fn summary(choice: &Choice, port_name: &str) -> String {
    let total = choice.taken.len() + choice.left_out.len();
    let Some(rule) = &choice.rule else { return none(choice, port_name) };
    format!("{} of {total}, {}", choice.taken.len(), described(rule))
}

/// Why there is no endpoint at all.
fn none(choice: &Choice, port_name: &str) -> String {
    if !choice.taken.is_empty() {
        return format!("{}, gone since", choice.taken.len());
    }
    if choice.other_ports.is_empty() {
        return "none: no EndpointSlice of the Service names any".to_owned();
    }
    let ports: Vec<String> = choice
        .other_ports
        .iter()
        .map(|SlicePort { name, protocol, port }| format!("{name:?} {port}/{protocol}"))
        .collect();
    format!("none: no EndpointSlice has a port {port_name:?}, only {}", ports.join(", "))
}

fn described(rule: &Rule) -> String {
    match rule {
        Rule::Ready => "those that are ready".to_owned(),
        Rule::HintedForNode(name) => format!("those that are ready and meant for node {name}"),
        Rule::HintedForZone(zone) => format!("those that are ready and meant for zone {zone}"),
        Rule::Draining => "those that serve while they terminate, as none is ready".to_owned(),
        Rule::ReadyHere => "those on this node that are ready".to_owned(),
        Rule::DrainingHere => {
            "those on this node that serve while they terminate, as none here is ready".to_owned()
        }
    }
}

fn place(node: Option<&Arc<str>>, here: bool) -> String {
    match node {
        _ if here => "on this node".to_owned(),
        Some(name) => format!("on {name}"),
        None => "on a node that is not named".to_owned(),
    }
}

fn why_not(because: &WhyNot) -> String {
    let all = |names: &[Arc<str>]| names.join(", ");
    match because {
        WhyNot::NotReady => "not ready".to_owned(),
        WhyNot::Terminating => "terminating".to_owned(),
        WhyNot::StoppedServing => "terminating, serves no longer".to_owned(),
        WhyNot::OtherNode => "another node".to_owned(),
        WhyNot::NoNode => "counts as one of another node".to_owned(),
        WhyNot::HintedForNodes(names) => format!("meant for node {}", all(names)),
        WhyNot::HintedForZones(names) => format!("meant for zone {}", all(names)),
        WhyNot::Pending => "not given to the kernel yet".to_owned(),
    }
}
