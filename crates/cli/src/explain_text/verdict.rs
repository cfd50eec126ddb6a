//! What becomes of a packet, in words.

use portolan_core::backend::LocalPods;
use portolan_core::explain::{
    Chosen, DropReason, Explanation, Found, FoundFrontend, Outcome, Pick, RejectReason,
    SourceReason, Verdict,
};
use portolan_core::{Destination, Protocol};

use super::Lines;
use crate::layout::plural;

/// What becomes of the packets of some clients.
pub(super) fn describe(lines: &mut Lines, explanation: &Explanation, outcome: &Outcome) {
    if let Verdict::Balance { endpoints, source: reason, .. } = &outcome.verdict {
        lines.push("source", source(*reason, explanation));
        for chosen in endpoints {
            if let Some(because) = chosen.because {
                let source = source(because, explanation);
                lines.below(format!("but at {}: {source}", chosen.address));
            }
        }
        if endpoints.iter().any(|chosen| chosen.unless_itself) {
            lines.below("masqueraded if it is the endpoint itself that asks");
        }
    }
    if let Some(affinity) = kept(explanation, outcome) {
        lines.push("affinity", affinity);
    }
    lines.push("verdict", verdict(explanation, &outcome.verdict));
}

fn kept(explanation: &Explanation, outcome: &Outcome) -> Option<String> {
    let Found::Frontend(found) = &explanation.found else { return None };
    let is_balanced = matches!(outcome.verdict, Verdict::Balance { .. } | Verdict::Relay { .. });
    let seconds = found.affinity.filter(|_| is_balanced)?.timeout_seconds;
    Some(format!(
        "a client that had an endpoint within the last {seconds} s keeps it; which one, the plan \
         does not say"
    ))
}

/// One line.
fn verdict(explanation: &Explanation, verdict: &Verdict) -> String {
    match verdict {
        Verdict::Balance { endpoints, pick, .. } => {
            let to: Vec<String> = endpoints.iter().map(|it| it.address.to_string()).collect();
            format!("goes to {}", one_of(&to, pick))
        }
        Verdict::Relay { endpoints } => {
            let to: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
            format!(
                "the agent, if it could listen there (see `portolan dump`), relays it to {}",
                one_of(&to, &Pick::Random)
            )
        }
        Verdict::Reject(reason) => {
            format!("refused by {}: {}", refusal(explanation.protocol), rejected(*reason))
        }
        Verdict::Drop(reason) => format!("dropped: {}", dropped(explanation, reason)),
        Verdict::Pass => "left alone: it goes where the routes of this node lead".to_owned(),
    }
}

/// Short, for a table.
pub(super) fn brief(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Balance { endpoints, source, .. } => {
            format!("{}, {}", count(endpoints), source_brief(endpoints, *source))
        }
        Verdict::Relay { endpoints } => {
            format!("relayed to {}", plural(endpoints.len(), "endpoint", "endpoints"))
        }
        Verdict::Reject(reason) => format!("refused: {}", rejected(*reason)),
        Verdict::Drop(DropReason::NoLocalEndpoint) => {
            "dropped: endpoints only on other nodes".to_owned()
        }
        Verdict::Drop(_) => "dropped".to_owned(),
        Verdict::Pass => "left alone".to_owned(),
    }
}

fn count(endpoints: &[Chosen]) -> String {
    match endpoints {
        [only] => only.address.to_string(),
        _ => format!("one of {} endpoints", endpoints.len()),
    }
}

fn source_brief(endpoints: &[Chosen], source: SourceReason) -> &'static str {
    let masqueraded = endpoints.iter().filter(|it| it.masqueraded).count();
    if masqueraded == 0 {
        "source kept"
    } else if masqueraded == endpoints.len() {
        "masqueraded"
    } else if source.masquerades() {
        "masqueraded but for endpoints of this node's own address"
    } else {
        "source kept but for an endpoint that calls itself"
    }
}

fn one_of(addresses: &[String], pick: &Pick) -> String {
    match addresses {
        [only] => only.clone(),
        _ => {
            let how = match pick {
                Pick::Random => "each with the same probability".to_owned(),
                Pick::Scheduler(name) => {
                    format!("picked by the scheduler {name} of IPVS, if the kernel has it")
                }
            };
            format!("one of these {}, {how}", addresses.len())
        }
    }
}

fn source(reason: SourceReason, explanation: &Explanation) -> String {
    let why = match reason {
        SourceReason::LocalPod => {
            format!("a pod of this node ({})", super::recognised(&explanation.local_pods))
        }
        SourceReason::PodsUnknown => {
            "nothing says how to tell pods of this node from others (--detect-local-mode)"
                .to_owned()
        }
        SourceReason::PolicyLocal => "externalTrafficPolicy: Local".to_owned(),
        SourceReason::DeliveredHere => "an address of this node, delivered here".to_owned(),
        SourceReason::NotLocalPod => {
            let pods = match &explanation.local_pods {
                LocalPods::Source(network) => format!("not from {network}"),
                LocalPods::Interface(name) => format!("not by {name}"),
                LocalPods::InterfacePrefix(prefix) => format!("not by {prefix}…"),
                LocalPods::Unknown => "not recognised".to_owned(),
            };
            format!("not a pod of this node ({pods}), so answers must come back through it")
        }
        SourceReason::MasqueradeAll => "--masquerade-all".to_owned(),
        SourceReason::PolicyCluster => {
            "externalTrafficPolicy: Cluster, so answers must come back through this node".to_owned()
        }
        SourceReason::ThisNode => "this node, whose source may be the address it asks".to_owned(),
        SourceReason::CallsItself => "an endpoint that calls itself".to_owned(),
    };
    format!("{}: {why}", if reason.masquerades() { "masqueraded" } else { "kept" })
}

fn refusal(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "a TCP reset",
        Protocol::Udp | Protocol::Sctp => "an ICMP error",
    }
}

fn rejected(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::NoEndpoint => "the Service has no usable endpoint on any node",
        RejectReason::UnknownPort => "a ClusterIP without this port",
    }
}

fn dropped(explanation: &Explanation, reason: &DropReason) -> String {
    match reason {
        DropReason::SourceRanges => "not in spec.loadBalancerSourceRanges".to_owned(),
        DropReason::NoLocalEndpoint => {
            let field = match &explanation.found {
                Found::Frontend(found) => field(found),
                _ => "the policy",
            };
            format!("{field}: Local allows endpoints on this node only, and it has none")
        }
        DropReason::ServiceCidr(_) => "an address for Services that none has".to_owned(),
        DropReason::Loopback => "from the network to a loopback address".to_owned(),
    }
}

fn field(found: &FoundFrontend) -> &'static str {
    super::frontend::policy_field(found.destination)
}

/// Where a frontend is, for a table.
pub(super) fn address(explanation: &Explanation) -> String {
    match (&explanation.found, explanation.destination) {
        (Found::Frontend(found), Some(ip))
            if matches!(found.destination, Destination::LoadBalancerIp(_)) =>
        {
            format!("{ip} (LB)")
        }
        (_, Some(ip)) => ip.to_string(),
        (_, None) => format!("NodePort {}", explanation.family),
    }
}
