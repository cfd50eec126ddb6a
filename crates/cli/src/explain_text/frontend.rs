//! What a packet meets, in words.

use portolan_core::backend::NodePortAddresses;
use portolan_core::explain::{Explanation, Found, FoundFrontend, Near, NearMiss};
use portolan_core::{Destination, ObjectName, WhenEndpointGone};

use super::{Lines, endpoints};

/// What a packet meets, whoever sends it.
pub(super) fn describe(lines: &mut Lines, explanation: &Explanation) {
    match &explanation.found {
        Found::Frontend(found) => describe_frontend(lines, found),
        Found::UnknownPort(services) => {
            let names: Vec<String> = services.iter().map(ObjectName::to_string).collect();
            lines.push("address", format!("the ClusterIP of {}", names.join(", ")));
        }
        Found::ServiceCidr(network) => {
            lines.push("address", format!("in {network} of a ServiceCIDR; no Service has it"));
        }
        Found::ThisNode => lines.push("address", "this node's own; no Service has this port of it"),
        Found::Nobody => lines.push("address", "no Service has it"),
    }
    for NearMiss { service, why } in &explanation.near {
        lines.push("but", near(service, why, explanation));
    }
}

fn describe_frontend(lines: &mut Lines, found: &FoundFrontend) {
    lines.push("frontend", frontend(found));
    for lost in &found.lost {
        lines.push("contested", lost.to_string());
    }
    if found.pending {
        lines.push("pending", "it has changed since; this is what the kernel was given last");
    }
    if let Some(ranges) = &found.source_ranges {
        let ranges: Vec<String> = ranges.iter().map(ToString::to_string).collect();
        let only = match ranges.is_empty() {
            true => "nobody (spec.loadBalancerSourceRanges names no network of this family)".into(),
            false => format!("only from {} (spec.loadBalancerSourceRanges)", ranges.join(", ")),
        };
        lines.push("let in", only);
    }
    if let Some(local) = found.policy_local {
        let policy = if local { "Local" } else { "Cluster" };
        lines.push("policy", format!("{}: {policy}", policy_field(found.destination)));
    }
    for choice in &found.choices {
        endpoints::describe(lines, choice, found);
    }
    if let Some(word) = gone(found.when_endpoint_gone) {
        lines.push("later", format!("connections to endpoints that are gone are {word}"));
    }
}

fn frontend(found: &FoundFrontend) -> String {
    let name = named(found);
    match found.destination {
        Destination::ClusterIp(_) => format!("the ClusterIP of {name}"),
        Destination::ExternalIp(_) => format!("an external IP of {name}"),
        Destination::LoadBalancerIp(_) => format!("a load balancer's address of {name}"),
        Destination::NodePort => {
            let on = found
                .node_ports
                .as_ref()
                .map_or(String::new(), |it| format!(", taken on {}", node_ports(it)));
            let loopback = match found.localhost_node_ports {
                true => " and, from this node, on loopback",
                false => "",
            };
            format!("a NodePort of {name}{on}{loopback}")
        }
    }
}

/// The Service and its port, as the comments in the kernel have them.
pub(super) fn named(found: &FoundFrontend) -> String {
    match found.port_name.is_empty() {
        true => found.service.to_string(),
        false => format!("{}:{}", found.service, found.port_name),
    }
}

pub(super) fn policy_field(destination: Destination) -> &'static str {
    match destination {
        Destination::ClusterIp(_) => "internalTrafficPolicy",
        Destination::ExternalIp(_) | Destination::LoadBalancerIp(_) | Destination::NodePort => {
            "externalTrafficPolicy"
        }
    }
}

fn node_ports(takes: &NodePortAddresses) -> String {
    match takes {
        NodePortAddresses::Any => "every address of this node".to_owned(),
        NodePortAddresses::Listed(listed) if listed.is_empty() => "no address".to_owned(),
        NodePortAddresses::Listed(listed) => {
            listed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
    }
}

fn near(service: &ObjectName, why: &Near, explanation: &Explanation) -> String {
    match why {
        Near::OtherPorts(ports) => {
            let ports: Vec<String> =
                ports.iter().map(|(protocol, port)| format!("{port}/{protocol}")).collect();
            format!("{service} has this address with {}", ports.join(", "))
        }
        Near::Refused(problem) => problem.to_string(),
        Near::ExternalName => format!("{service} names it, and is of type ExternalName"),
        Near::NodePortElsewhere(takes) => {
            let (port, takes) = (explanation.port, node_ports(takes));
            format!("{port} is a NodePort of {service}, taken on {takes} (--nodeport-addresses)")
        }
        Near::Pending => format!("{service} asks for it since a moment ago, and gets it next"),
    }
}

fn gone(what: WhenEndpointGone) -> Option<&'static str> {
    match what {
        WhenEndpointGone::Keep => None,
        WhenEndpointGone::Drop => Some("forgotten, and balanced anew"),
        WhenEndpointGone::Reset => Some("reset"),
    }
}
