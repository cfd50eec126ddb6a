//! Addresses and source ranges of a Service.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use portolan_core::{Family, ServiceType};

use super::path::Path;
use super::report::Report;
use crate::field::{Field, List};
use crate::manifest::{LoadBalancerStatus, Spec};

/// What `clusterIP` says for a headless Service.
const HEADLESS: &str = "None";

const FAMILIES: [(&str, Family); 2] = [("IPv4", Family::V4), ("IPv6", Family::V6)];

/// Whether the Service asks for no ClusterIP.
pub(super) fn is_headless(spec: &Spec) -> bool {
    let first = spec.cluster_ips.value().and_then(|list| list.first()).and_then(Field::value);
    [spec.cluster_ip.value(), first].into_iter().flatten().any(|address| address == HEADLESS)
}

/// At most one ClusterIP per family: `clusterIPs`, else `clusterIP`. An address has to be
/// of the family that `ipFamilies` names in the same place, if it names one.
pub(super) fn cluster_ips(
    spec: &Spec,
    service_type: ServiceType,
    report: &mut Report,
) -> Vec<IpAddr> {
    let list = Path::from("spec.clusterIPs");
    let listed = report.list(&spec.cluster_ips, list);
    if listed.is_empty() {
        return single_cluster_ip(spec, service_type, report);
    }
    let families = ip_families(spec, report);
    let mut addresses: Vec<IpAddr> = Vec::new();
    for (index, element) in listed.iter().enumerate() {
        let path = list.index(index);
        let Ok(Some(address)) = report.address(element, path, "it is skipped") else { continue };
        let family = Family::of(address);
        if let Some(Some(wanted)) = families.get(index)
            && *wanted != family
        {
            let reason = format!("{address} where spec.ipFamilies says {wanted}; it is skipped");
            report.problem(path, reason);
        } else if addresses.iter().any(|known| Family::of(*known) == family) {
            report.problem(path, format!("a second {family} address; it is skipped"));
        } else {
            addresses.push(address);
        }
    }
    addresses
}

fn single_cluster_ip(spec: &Spec, service_type: ServiceType, report: &mut Report) -> Vec<IpAddr> {
    let path = "spec.clusterIP";
    let families = ip_families(spec, report);
    match report.address(&spec.cluster_ip, path, "the Service is not served") {
        Ok(Some(address)) => match families.first() {
            Some(Some(wanted)) if *wanted != Family::of(address) => {
                let reason = format!("{address} where spec.ipFamilies says {wanted}");
                report.problem(path, format!("{reason}; the Service is not served"));
                Vec::new()
            }
            _ => vec![address],
        },
        Ok(None) => {
            if service_type != ServiceType::ExternalName {
                // An API server would have chosen one; nobody does so for a file.
                report.problem(path, "has no address; the Service is not served");
            }
            Vec::new()
        }
        Err(_) => Vec::new(),
    }
}

/// `None` in the place of a word that is not a family.
fn ip_families(spec: &Spec, report: &mut Report) -> Vec<Option<Family>> {
    let mut families = Vec::new();
    let list = Path::from("spec.ipFamilies");
    for (index, element) in report.list(&spec.ip_families, list).iter().enumerate() {
        let path = list.index(index);
        families.push(report.choice(element, path, &FAMILIES, "it is ignored").ok().flatten());
    }
    families
}

/// `ingress[].ip` of mode VIP, each once. Of mode Proxy, traffic has to reach the load
/// balancer itself.
pub(super) fn load_balancer_ips(
    field: &Field<LoadBalancerStatus>,
    report: &mut Report,
) -> Vec<IpAddr> {
    let path = Path::from("status.loadBalancer");
    let Ok(status) = report.structure(field, path, "it is ignored") else { return Vec::new() };
    let list = path.field("ingress");
    let mut addresses = Vec::new();
    for (index, element) in report.list(&status.ingress, list).iter().enumerate() {
        let path = list.index(index);
        let Ok(ingress) = report.structure(element, path, "it is skipped") else { continue };
        let modes = [("VIP", true), ("Proxy", false)];
        let mode = path.field("ipMode");
        let mode = report.choice(&ingress.ip_mode, mode, &modes, "the address is not captured");
        if mode.map(|mode| mode.unwrap_or(true)) != Ok(true) {
            continue;
        }
        let path = path.field("ip");
        if let Ok(Some(address)) = report.address(&ingress.ip, path, "it is skipped")
            && !addresses.contains(&address)
        {
            addresses.push(address);
        }
    }
    addresses
}

/// `loadBalancerSourceRanges`. A range of length zero lifts the restriction of its family:
/// it stands for all ranges of that family, and for none at all where the other family is
/// not restricted either. Left out it would close its family, as ranges of one family only do.
///
/// A range that cannot be read never opens what was meant to be closed: where no other
/// range of its family is left, nobody is let in, by a range that no client can be in.
pub(super) fn source_ranges(field: &List<String>, report: &mut Report) -> Vec<IpNet> {
    let path = Path::from("spec.loadBalancerSourceRanges");
    let done = "it lets nobody in";
    let mut ranges: Vec<IpNet> = Vec::new();
    let mut unreadable: Vec<Family> = Vec::new();
    let elements = report.read(field, path, done);
    if elements.is_err() {
        unreadable.extend(Family::BOTH);
    }
    let elements = elements.ok().flatten().map_or(&[][..], Vec::as_slice);
    for (index, element) in elements.iter().enumerate() {
        match report.network(element, path.index(index), done) {
            Ok(range) => ranges.extend(range),
            Err(_) => unreadable.extend_from_slice(families_meant_by(element)),
        }
    }
    let unrestricted: Vec<Family> =
        ranges.iter().filter(|range| range.prefix_len() == 0).map(Family::of_net).collect();
    ranges
        .retain(|range| range.prefix_len() == 0 || !unrestricted.contains(&Family::of_net(range)));
    for family in Family::BOTH {
        let restricted = ranges.iter().any(|range| Family::of_net(range) == family);
        if unreadable.contains(&family) && !unrestricted.contains(&family) && !restricted {
            ranges.push(nobody(family));
        }
    }
    if ranges.iter().all(|range| range.prefix_len() == 0) {
        ranges.clear();
    }
    ranges
}

fn families_meant_by(element: &Field<String>) -> &'static [Family] {
    match element.value() {
        Some(text) if text.contains(':') => &[Family::V6],
        Some(_) => &[Family::V4],
        None => &Family::BOTH,
    }
}

/// The unspecified address alone, which no packet from a client carries.
fn nobody(family: Family) -> IpNet {
    match family {
        Family::V4 => IpNet::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        Family::V6 => IpNet::from(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
    }
}
