//! `discovery.k8s.io/v1` EndpointSlice.

use std::net::IpAddr;
use std::sync::Arc;

use portolan_core::{Conditions, Endpoint, EndpointPort, EndpointSlice, Family, Hints, ObjectName};

use super::Input;
use super::path::Path;
use super::port_fields;
use super::report::{Report, Reported};
use crate::field::{Field, List};
use crate::manifest::{
    EndpointConditions, EndpointHints, Metadata, Named, SliceEndpoint, SlicePort,
};
use crate::names::Names;

const SKIPPED: &str = "the endpoint is skipped";
const SLICE_SKIPPED: &str = "the slice is skipped";

/// `None` for slices of headless Services and for slices that cannot be attributed to a
/// Service and a family.
pub(super) fn convert(
    input: &Input<'_>,
    names: &mut Names,
    report: &mut Report,
) -> Option<EndpointSlice> {
    let labels = input.labels(report);
    if labels.headless.is_present() {
        return None;
    }
    let path = "metadata.labels[kubernetes.io/service-name]";
    let service = report.read(&labels.service_name, path, SLICE_SKIPPED).ok()?;
    let Some(service) = service.filter(|service| !service.is_empty()) else {
        report.problem(path, "names no Service; the slice is skipped");
        return None;
    };
    let family = family(input, report)?;
    Some(EndpointSlice {
        name: input.name.clone(),
        service: ObjectName {
            namespace: Arc::clone(&input.name.namespace),
            name: names.share(service),
        },
        family,
        ports: ports(&input.manifest.ports, names, report),
        endpoints: endpoints(&input.manifest.endpoints, family, names, report),
        trigger_time: trigger_time(input.metadata),
    })
}

/// Only measured, so what cannot be read is nobody's problem.
fn trigger_time(metadata: &Metadata) -> Option<i64> {
    let text = metadata.annotations.value()?.last_change_trigger_time.value()?;
    text.parse::<k8s_openapi::jiff::Timestamp>().ok().map(|time| time.as_millisecond())
}

fn family(input: &Input<'_>, report: &mut Report) -> Option<Family> {
    let path = "addressType";
    let words = [("IPv4", Some(Family::V4)), ("IPv6", Some(Family::V6)), ("FQDN", None)];
    match report.choice(&input.manifest.address_type, path, &words, SLICE_SKIPPED).ok()? {
        Some(Some(family)) => Some(family),
        Some(None) => {
            report.problem(path, "host names are not resolved; the slice is skipped");
            None
        }
        None => {
            report.problem(path, "is neither IPv4 nor IPv6; the slice is skipped");
            None
        }
    }
}

fn ports(field: &List<SlicePort>, names: &mut Names, report: &mut Report) -> Vec<EndpointPort> {
    let mut ports = Vec::new();
    let list = Path::from("ports");
    for (index, element) in report.list(field, list).iter().enumerate() {
        ports.extend(port(element, list.index(index), names, report));
    }
    ports
}

fn port(
    element: &Field<SlicePort>,
    path: Path<'_>,
    names: &mut Names,
    report: &mut Report,
) -> Result<EndpointPort, Reported> {
    let port = report.structure(element, path, port_fields::SKIPPED)?;
    let read = port_fields::read(&port.name, &port.protocol, &port.port, path, names, report)?;
    Ok(EndpointPort { name: read.name, protocol: read.protocol, port: read.number })
}

fn endpoints(
    field: &List<SliceEndpoint>,
    family: Family,
    names: &mut Names,
    report: &mut Report,
) -> Vec<Endpoint> {
    let list = Path::from("endpoints");
    let elements = report.list(field, list);
    let mut endpoints = Vec::with_capacity(elements.len());
    let mut reader = EndpointReader { names, report, hints: SharedHints::default() };
    for (index, element) in elements.iter().enumerate() {
        endpoints.extend(reader.read(element, list.index(index), family));
    }
    endpoints
}

/// Reads the endpoints of one slice.
struct EndpointReader<'a> {
    names: &'a mut Names,
    report: &'a mut Report,
    hints: SharedHints,
}

impl EndpointReader<'_> {
    fn read(
        &mut self,
        element: &Field<SliceEndpoint>,
        path: Path<'_>,
        family: Family,
    ) -> Result<Endpoint, Reported> {
        let endpoint = self.report.structure(element, path, SKIPPED)?;
        let address = self.address(&endpoint.addresses, path.field("addresses"), family)?;
        let conditions = self.conditions(&endpoint.conditions, path.field("conditions"))?;
        let node_name = self.report.text(&endpoint.node_name, path.field("nodeName"));
        let node_name = node_name.filter(|name| !name.is_empty());
        let node_name = node_name.map(|name| self.names.share(name));
        let hints = self.hints(&endpoint.hints, path.field("hints"));
        Ok(Endpoint { address, conditions, node_name, hints })
    }

    fn address(
        &mut self,
        field: &List<String>,
        path: Path<'_>,
        family: Family,
    ) -> Result<IpAddr, Reported> {
        let first = self.report.read(field, path, SKIPPED)?.and_then(|list| list.first());
        let address = match first {
            Some(first) => self.report.address(first, path.index(0), SKIPPED)?,
            None => None,
        };
        match address {
            None => Err(self.report.problem(path, format!("has no address; {SKIPPED}"))),
            Some(address) if Family::of(address) == family => Ok(address),
            Some(address) => {
                let reason = format!("{address} in a slice of addressType {family}; {SKIPPED}");
                Err(self.report.problem(path.index(0), reason))
            }
        }
    }

    /// A condition that cannot be read must not pass for `ready`, so it costs the endpoint.
    fn conditions(
        &mut self,
        field: &Field<EndpointConditions>,
        path: Path<'_>,
    ) -> Result<Conditions, Reported> {
        let conditions = self.report.structure(field, path, SKIPPED)?;
        let mut flag = |field, name, default: bool| {
            let flag = self.report.read(field, path.field(name), SKIPPED)?;
            Ok(flag.copied().unwrap_or(default))
        };
        Ok(Conditions {
            ready: flag(&conditions.ready, "ready", true)?,
            serving: flag(&conditions.serving, "serving", true)?,
            terminating: flag(&conditions.terminating, "terminating", false)?,
        })
    }

    fn hints(&mut self, field: &Field<EndpointHints>, path: Path<'_>) -> Option<Arc<Hints>> {
        let hints = self.report.structure(field, path, "it is ignored").ok()?;
        let hints = Hints {
            zones: self.named(&hints.for_zones, path.field("forZones")),
            nodes: self.named(&hints.for_nodes, path.field("forNodes")),
        };
        self.hints.share(hints)
    }

    fn named(&mut self, field: &List<Named>, list: Path<'_>) -> Vec<Arc<str>> {
        let mut found = Vec::new();
        for (index, element) in self.report.list(field, list).iter().enumerate() {
            let path = list.index(index);
            let Ok(hint) = self.report.structure(element, path, "it is ignored") else { continue };
            let name = self.report.text(&hint.name, path.field("name"));
            found.extend(name.filter(|name| !name.is_empty()).map(|name| self.names.share(name)));
        }
        found
    }
}

/// The hints of a slice, of which there are usually as many as zones.
#[derive(Default)]
struct SharedHints(Vec<Arc<Hints>>);

/// With node hints every endpoint has its own; looking through more than this would cost
/// more than sharing saves.
const MOST_SHARED_HINTS: usize = 16;

impl SharedHints {
    fn share(&mut self, hints: Hints) -> Option<Arc<Hints>> {
        if hints == Hints::default() {
            return None;
        }
        if let Some(known) = self.0.iter().find(|known| ***known == hints) {
            return Some(Arc::clone(known));
        }
        let hints = Arc::new(hints);
        if self.0.len() < MOST_SHARED_HINTS {
            self.0.push(Arc::clone(&hints));
        }
        Some(hints)
    }
}
