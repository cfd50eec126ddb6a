//! `v1.Node`, of this node only.

use std::net::IpAddr;

use ipnet::IpNet;
use portolan_core::{Family, NodeInfo};

use super::Input;
use super::path::Path;
use super::report::Report;
use crate::field::{Field, List};
use crate::manifest::{NodeAddress, Spec};
use crate::names::Names;

/// The taint by which the cluster autoscaler announces that it deletes a node.
const LEAVING_TAINT: &str = "ToBeDeletedByClusterAutoscaler";

pub(super) fn convert(input: &Input<'_>, names: &mut Names, report: &mut Report) -> NodeInfo {
    let labels = input.labels(report);
    let spec = input.spec(report);
    let status = input.status(report);
    let zone = report.text(&labels.zone, "metadata.labels[topology.kubernetes.io/zone]");
    NodeInfo {
        zone: zone.filter(|zone| !zone.is_empty()).map(|zone| names.share(zone)),
        addresses: addresses(&status.addresses, report),
        pod_cidrs: pod_cidrs(&spec, report),
        leaving: input.metadata.deletion_timestamp.is_present() || has_leaving_taint(&spec),
    }
}

/// Of each family the first InternalIP, else the first ExternalIP.
fn addresses(field: &List<NodeAddress>, report: &mut Report) -> Vec<IpAddr> {
    let mut found: Vec<(bool, IpAddr)> = Vec::new();
    let list = Path::from("status.addresses");
    for (index, element) in report.list(field, list).iter().enumerate() {
        let path = list.index(index);
        let Ok(entry) = report.structure(element, path, "it is skipped") else { continue };
        let external = match entry.r#type.value().map(String::as_str) {
            Some("InternalIP") => false,
            Some("ExternalIP") => true,
            _ => continue,
        };
        let path = path.field("address");
        if let Ok(Some(address)) = report.address(&entry.address, path, "it is skipped") {
            found.push((external, address));
        }
    }
    found.sort_by_key(|(external, _)| *external);
    let first_of = |family| found.iter().map(|(_, ip)| *ip).find(|ip| Family::of(*ip) == family);
    Family::BOTH.into_iter().filter_map(first_of).collect()
}

fn pod_cidrs(spec: &Spec, report: &mut Report) -> Vec<IpNet> {
    if spec.pod_cidrs.is_present() {
        return report.networks(&spec.pod_cidrs, "spec.podCIDRs");
    }
    report
        .network(&spec.pod_cidr, "spec.podCIDR", "it is skipped")
        .ok()
        .flatten()
        .into_iter()
        .collect()
}

fn has_leaving_taint(spec: &Spec) -> bool {
    let taints = spec.taints.value().map_or(&[][..], Vec::as_slice);
    let mut keys = taints.iter().filter_map(Field::value).filter_map(|taint| taint.key.value());
    keys.any(|key| key == LEAVING_TAINT)
}
