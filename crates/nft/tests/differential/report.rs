//! A disagreement, written for a human.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use portolan_core::{EndpointSlice, ObjectName, Service};

use crate::cluster::Cluster;
use crate::model::{Seen, Verdict};
use crate::play::Observed;

/// The packet, what was predicted and why, what was seen, and the objects that it concerns.
pub(crate) fn disagreement(
    cluster: &Cluster,
    observed: &Observed,
    faults: &BTreeSet<String>,
) -> String {
    let mut text = String::new();
    let prediction = &observed.prediction;
    let _ = writeln!(text, "{}", observed.packet);
    let _ =
        writeln!(text, "  predicted  {} ({})", verdict(&prediction.verdict), prediction.because);
    for fault in faults {
        let _ = writeln!(text, "  seen       {fault}");
    }
    let family = observed.packet.family();
    let _ = writeln!(
        text,
        "  node       zone {:?}, addresses {:?}, NodePorts on {:?}, pods are {:?}, \
         ServiceCIDRs {:?}, masquerade all {}",
        cluster.node.zone,
        cluster.node.addresses,
        cluster.node_ports(family),
        cluster.local_pods(family),
        cluster.environment.service_cidrs,
        cluster.masquerade_all,
    );
    for service in concerned(cluster, observed) {
        let owner = prediction.service.as_ref() == Some(&service.name);
        let mark = if owner { "has it" } else { "claims it" };
        let _ = writeln!(text, "  {mark:9}  {service:?}");
        for slice in cluster.slices_of(&service.name, family).filter(|_| owner) {
            let _ = write!(text, "{}", described(slice));
        }
    }
    text
}

/// What a verdict says.
pub(crate) fn verdict(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Balanced { endpoints, sticky } => {
            let seen = |seen: &Seen| match seen {
                Seen::Client => "the client",
                Seen::Node => "the node",
            };
            let endpoints: Vec<String> =
                endpoints.iter().map(|(it, who)| format!("{it} seeing {}", seen(who))).collect();
            let always = if *sticky { "always the same " } else { "" };
            format!("{always}one of [{}]", endpoints.join(", "))
        }
        other => format!("{other:?}"),
    }
}

/// The Services with the packet's address, or its port as a NodePort.
fn concerned<'a>(cluster: &'a Cluster, observed: &Observed) -> Vec<&'a Service> {
    let destination = observed.packet.destination;
    let is_concerned = |service: &&Service| {
        let addresses = service.cluster_ips.iter().chain(&service.external_ips);
        let mut addresses = addresses.chain(&service.load_balancer_ips);
        let mut node_ports = service.ports.iter().filter_map(|port| port.node_port);
        addresses.any(|address| *address == destination.ip())
            || node_ports.any(|port| port == destination.port())
    };
    cluster.services.values().filter(is_concerned).collect()
}

fn described(slice: &EndpointSlice) -> String {
    let ObjectName { name, .. } = &slice.name;
    let ports: Vec<String> = slice
        .ports
        .iter()
        .map(|port| format!("{:?} {} {}", port.name, port.protocol, port.port))
        .collect();
    let mut text = format!("             slice {name}: {}\n", ports.join(", "));
    for endpoint in &slice.endpoints {
        let conditions = endpoint.conditions;
        let named = [
            (conditions.ready, "ready"),
            (conditions.serving, "serving"),
            (conditions.terminating, "terminating"),
        ];
        let named: Vec<&str> =
            named.into_iter().filter(|(is_true, _)| *is_true).map(|(_, name)| name).collect();
        let node = endpoint.node_name.as_deref().unwrap_or("no node");
        let address = endpoint.address;
        let _ = writeln!(
            text,
            "               {address} on {node}: {}; {:?}",
            named.join(", "),
            endpoint.hints.as_deref()
        );
    }
    text
}
