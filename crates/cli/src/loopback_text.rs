//! What is said of NodePorts on `::1`.

use portolan_agent::control::{LoopbackPort, LoopbackReport, PortState};
use portolan_core::{Destination, Family, Frontend, ObjectName, PortPlan, Protocol};

/// All of them together, in a line for each protocol.
pub(crate) fn summary(report: &LoopbackReport) -> String {
    format!(
        "NodePorts on ::1, TCP: {} now; {} taken, {} reset as too many, {} as no endpoint took \
         them\nNodePorts on ::1, UDP: {} now; {} begun, {} displaced by new ones, {} datagrams \
         dropped",
        count(Protocol::Tcp, report.connections),
        report.accepted,
        report.over_limit,
        report.unreachable,
        count(Protocol::Udp, report.flows),
        report.flows_begun,
        report.flows_displaced,
        report.datagrams_dropped,
    )
}

/// Whether a frontend is served there, if that is a question.
pub(crate) fn note(
    report: &LoopbackReport,
    service: &ObjectName,
    port: &PortPlan,
    frontend: &Frontend,
) -> Option<String> {
    if port.family != Family::V6 || frontend.destination != Destination::NodePort {
        return None;
    }
    if port.protocol == Protocol::Sctp {
        return Some("not on ::1, SCTP is not relayed".to_owned());
    }
    let same = |it: &&LoopbackPort| {
        (it.port, it.protocol, &it.service) == (frontend.port, port.protocol, service)
    };
    let relayed = report.ports.iter().find(same)?;
    Some(match &relayed.state {
        PortState::Open => format!("also on ::1, {} now", count(port.protocol, relayed.active)),
        PortState::Opening => "about to be on ::1".to_owned(),
        PortState::Failed(why) => format!("not on ::1: {why}"),
    })
}

fn count(protocol: Protocol, number: u64) -> String {
    let one = if protocol == Protocol::Udp { "flow" } else { "connection" };
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}
