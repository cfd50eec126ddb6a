//! `v1.Service`.

use portolan_core::{Service, ServicePort, ServiceType, SessionAffinity, WhenEndpointGone};

use super::Input;
use super::ipvs_scheduler::ipvs_scheduler;
use super::path::Path;
use super::port_fields;
use super::report::{Report, Reported};
use super::service_addresses::{cluster_ips, is_headless, load_balancer_ips, source_ranges};
use crate::event::printable;
use crate::field::{Field, List};
use crate::manifest::{self, Annotations, Spec};
use crate::names::Names;

const TYPES: [(&str, ServiceType); 4] = [
    ("ClusterIP", ServiceType::ClusterIP),
    ("NodePort", ServiceType::NodePort),
    ("LoadBalancer", ServiceType::LoadBalancer),
    ("ExternalName", ServiceType::ExternalName),
];

const POLICIES: [(&str, bool); 2] = [("Cluster", false), ("Local", true)];

const WHEN_ENDPOINT_GONE: [(&str, WhenEndpointGone); 3] = [
    ("keep", WhenEndpointGone::Keep),
    ("drop", WhenEndpointGone::Drop),
    ("reset", WhenEndpointGone::Reset),
];

/// The annotations that are read and that nobody else reads.
const OWN_ANNOTATIONS: [&str; 2] =
    ["portolan.dev/ipvs-scheduler", "portolan.dev/tcp-when-endpoint-gone"];

/// What is shown of a key; a right one has at most 317.
const MOST_CHARACTERS_OF_A_KEY: usize = 80;

/// `sessionAffinityConfig.clientIP.timeoutSeconds`: the default and the range of the API.
const DEFAULT_AFFINITY_SECONDS: u32 = 10_800;
const MOST_AFFINITY_SECONDS: u32 = 86_400;

/// `None` for Services of another proxy, headless ones and those without a ClusterIP.
pub(super) fn convert(
    input: &Input<'_>,
    names: &mut Names,
    report: &mut Report,
) -> Option<Service> {
    if input.labels(report).service_proxy_name.is_present() {
        return None;
    }
    let spec = input.spec(report);
    if is_headless(&spec) {
        return None;
    }
    let status = input.status(report);
    let done = "it counts as ClusterIP";
    let service_type = report.choice(&spec.r#type, "spec.type", &TYPES, done).ok().flatten();
    let service_type = service_type.unwrap_or_default();
    let cluster_ips = cluster_ips(&spec, service_type, report);
    if cluster_ips.is_empty() {
        return None;
    }
    let annotations = input.annotations(report);
    unknown_annotations(&annotations.own, report);
    Some(Service {
        name: input.name.clone(),
        created: created(input, report),
        service_type,
        ports: ports(&spec.ports, names, report),
        external_ips: report.addresses(&spec.external_ips, "spec.externalIPs"),
        load_balancer_ips: load_balancer_ips(&status.load_balancer, report),
        source_ranges: source_ranges(&spec.load_balancer_source_ranges, report),
        cluster_ips,
        external_policy_local: policy(
            &spec.external_traffic_policy,
            "spec.externalTrafficPolicy",
            report,
        ),
        internal_policy_local: policy(
            &spec.internal_traffic_policy,
            "spec.internalTrafficPolicy",
            report,
        ),
        session_affinity: session_affinity(&spec, report),
        health_check_node_port: report
            .port(&spec.health_check_node_port, "spec.healthCheckNodePort", "it is ignored")
            .ok()
            .flatten(),
        tcp_when_endpoint_gone: tcp_when_endpoint_gone(&annotations, report),
        ipvs_scheduler: ipvs_scheduler(&annotations, report),
    })
}

fn tcp_when_endpoint_gone(annotations: &Annotations, report: &mut Report) -> WhenEndpointGone {
    let field = &annotations.tcp_when_endpoint_gone;
    let path = "metadata.annotations[portolan.dev/tcp-when-endpoint-gone]";
    let done = "it counts as keep";
    report.choice(field, path, &WHEN_ENDPOINT_GONE, done).ok().flatten().unwrap_or_default()
}

/// Of annotations that only Portolan reads, a misspelt one would have no effect and no word.
fn unknown_annotations(own: &[String], report: &mut Report) {
    for key in own.iter().filter(|key| !OWN_ANNOTATIONS.contains(&key.as_str())) {
        let path = format!("metadata.annotations[{}]", printable(key, MOST_CHARACTERS_OF_A_KEY));
        let reason =
            format!("is not known, and ignored; known are: {}", OWN_ANNOTATIONS.join(", "));
        report.problem(path.as_str(), reason);
    }
}

fn created(input: &Input<'_>, report: &mut Report) -> Option<i64> {
    let path = "metadata.creationTimestamp";
    let text = report.text(&input.metadata.creation_timestamp, path)?;
    match text.parse::<k8s_openapi::jiff::Timestamp>() {
        Ok(timestamp) => Some(timestamp.as_second()),
        Err(_) => {
            report.problem(path, "is not a time as in RFC 3339; the Service counts as newest");
            None
        }
    }
}

fn policy(field: &Field<String>, path: &str, report: &mut Report) -> bool {
    report.choice(field, path, &POLICIES, "it counts as Cluster").ok().flatten().unwrap_or(false)
}

fn session_affinity(spec: &Spec, report: &mut Report) -> Option<SessionAffinity> {
    let words = [("ClientIP", true), ("None", false)];
    let done = "it counts as None";
    let wanted = report.choice(&spec.session_affinity, "spec.sessionAffinity", &words, done);
    if wanted != Ok(Some(true)) {
        return None;
    }
    let path = Path::from("spec.sessionAffinityConfig");
    let done = "the default of 10800 seconds is used";
    let timeout_seconds =
        affinity_timeout(&spec.session_affinity_config, path, done, report).ok().flatten();
    let timeout_seconds = timeout_seconds.unwrap_or(DEFAULT_AFFINITY_SECONDS);
    Some(SessionAffinity { timeout_seconds })
}

fn affinity_timeout(
    field: &Field<manifest::SessionAffinityConfig>,
    path: Path<'_>,
    done: &str,
    report: &mut Report,
) -> Result<Option<u32>, Reported> {
    let config = report.structure(field, path, done)?;
    let path = path.field("clientIP");
    let client_ip = report.structure(&config.client_ip, path, done)?;
    let path = path.field("timeoutSeconds");
    let Some(seconds) = report.read(&client_ip.timeout_seconds, path, done)? else {
        return Ok(None);
    };
    match u32::try_from(*seconds) {
        Ok(seconds @ 1..=MOST_AFFINITY_SECONDS) => Ok(Some(seconds)),
        _ => Err(report.problem(path, format!("{seconds} is not within 1 to 86400; {done}"))),
    }
}

fn ports(
    field: &List<manifest::ServicePort>,
    names: &mut Names,
    report: &mut Report,
) -> Vec<ServicePort> {
    let mut ports: Vec<ServicePort> = Vec::new();
    let list = Path::from("spec.ports");
    for (index, element) in report.list(field, list).iter().enumerate() {
        let path = list.index(index);
        let Ok(port) = port(element, path, names, report) else { continue };
        // The API refuses both; a file can hold them.
        if ports.iter().any(|known| (known.protocol, known.port) == (port.protocol, port.port)) {
            let reason = format!("{} {} stands there twice", port.protocol, port.port);
            report.problem(path, format!("{reason}; the first one is used"));
        } else if ports
            .iter()
            .any(|known| (known.protocol, &known.name) == (port.protocol, &port.name))
        {
            let reason = format!("the name \"{}\" is used for another port", port.name);
            report.problem(path.field("name"), format!("{reason}; the port is skipped"));
        } else {
            ports.push(port);
        }
    }
    ports
}

fn port(
    element: &Field<manifest::ServicePort>,
    path: Path<'_>,
    names: &mut Names,
    report: &mut Report,
) -> Result<ServicePort, Reported> {
    let port = report.structure(element, path, port_fields::SKIPPED)?;
    let read = port_fields::read(&port.name, &port.protocol, &port.port, path, names, report)?;
    let node_port = path.field("nodePort");
    Ok(ServicePort {
        name: read.name,
        protocol: read.protocol,
        port: read.number,
        node_port: report.port(&port.node_port, node_port, "it is ignored").ok().flatten(),
    })
}
