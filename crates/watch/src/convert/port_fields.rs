//! What ports of Services and of EndpointSlices have in common.

use std::sync::Arc;

use portolan_core::Protocol;

use super::path::Path;
use super::report::{Report, Reported};
use crate::field::Field;
use crate::names::Names;

/// What becomes of a port that cannot be read.
pub(super) const SKIPPED: &str = "the port is skipped";

/// The words of `v1.Protocol`.
const PROTOCOLS: [(&str, Protocol); 3] =
    [("TCP", Protocol::Tcp), ("UDP", Protocol::Udp), ("SCTP", Protocol::Sctp)];

/// `name`, `protocol` and `port`, with the API's defaults filled in.
pub(super) struct Port {
    pub(super) name: Arc<str>,
    pub(super) protocol: Protocol,
    pub(super) number: u16,
}

/// Reads these fields of the port at a path. One without a number is a problem: an
/// EndpointSlice means "all ports" by it, which no service proxy supports.
pub(super) fn read(
    name: &Field<String>,
    protocol: &Field<String>,
    number: &Field<i64>,
    path: Path<'_>,
    names: &mut Names,
    report: &mut Report,
) -> Result<Port, Reported> {
    let name = report.read(name, path.field("name"), SKIPPED)?;
    let protocol = report.choice(protocol, path.field("protocol"), &PROTOCOLS, SKIPPED)?;
    let number = report.port(number, path.field("port"), SKIPPED)?;
    let Some(number) = number else {
        return Err(report.problem(path.field("port"), format!("has no number; {SKIPPED}")));
    };
    Ok(Port {
        name: names.share(name.map_or("", String::as_str)),
        protocol: protocol.unwrap_or(Protocol::Tcp),
        number,
    })
}
