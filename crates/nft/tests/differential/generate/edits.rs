use portolan_core::{EndpointSlice, Family, NodeInfo, ObjectName, Service, Update};

use super::{SERVICES, environment, service_name, services, slices};
use crate::cluster::Cluster;
use crate::dice::Dice;

/// Changes the cluster a little; returns what a source would report of it: each change, or
/// every so often all that there is, as after a lost connection. The settings of the node
/// are not reported.
pub(crate) fn edit(dice: &mut Dice, cluster: &mut Cluster) -> Vec<Update> {
    let mut updates = Vec::new();
    for _ in 0..1 + dice.below(4) {
        let update = match dice.below(100) {
            0..14 => Some(new_slice(dice, cluster)),
            14..36 => existing_slice(dice, cluster).map(|it| scaled(dice, cluster, it)),
            36..47 => existing_slice(dice, cluster).map(|it| other_conditions(dice, cluster, it)),
            47..53 => existing_slice(dice, cluster).map(|it| moved(dice, cluster, it)),
            53..57 => existing_slice(dice, cluster).map(|it| Update::EndpointSliceDeleted(it.name)),
            57..72 => Some(new_service(dice, cluster)),
            72..82 => existing_service(dice, cluster).map(|it| changed(dice, cluster, it)),
            82..86 => existing_service(dice, cluster).map(|it| Update::ServiceDeleted(it.name)),
            86..92 => Some(other_node(dice, cluster)),
            92 => Some(Update::NodeDeleted),
            _ => other_environment(dice, cluster),
        };
        if let Some(update) = update {
            cluster.apply(update.clone());
            updates.push(update);
        }
    }
    if dice.percent(12) { cluster.listed() } else { updates }
}

fn new_slice(dice: &mut Dice, cluster: &Cluster) -> Update {
    let (number, family) = (dice.below(SERVICES), dice.pick(&Family::BOTH));
    Update::EndpointSliceApplied(slices::slice(dice, cluster, number, family))
}

fn existing_slice(dice: &mut Dice, cluster: &Cluster) -> Option<EndpointSlice> {
    let slices: Vec<_> = cluster.slices.values().collect();
    (!slices.is_empty()).then(|| dice.pick(&slices).clone())
}

fn other_conditions(dice: &mut Dice, cluster: &Cluster, mut slice: EndpointSlice) -> Update {
    for endpoint in &mut slice.endpoints {
        if dice.percent(50) {
            endpoint.conditions = slices::conditions(dice, true);
        }
    }
    slices::agree(cluster, &mut slice);
    Update::EndpointSliceApplied(slice)
}

/// With an endpoint more or less.
fn scaled(dice: &mut Dice, cluster: &Cluster, mut slice: EndpointSlice) -> Update {
    if dice.percent(50) {
        let count = slice.endpoints.len().saturating_sub(1);
        slice.endpoints = dice.several(&slice.endpoints, count);
    } else {
        slices::add_endpoint(dice, &mut slice);
    }
    slices::agree(cluster, &mut slice);
    Update::EndpointSliceApplied(slice)
}

/// As when the label that names the Service is edited.
fn moved(dice: &mut Dice, cluster: &Cluster, mut slice: EndpointSlice) -> Update {
    let names: Vec<ObjectName> = (0..SERVICES).map(service_name).collect();
    let names = names.into_iter().filter(|it| it.namespace == slice.service.namespace);
    slice.service = dice.pick(&names.collect::<Vec<_>>());
    slices::agree(cluster, &mut slice);
    Update::EndpointSliceApplied(slice)
}

fn new_service(dice: &mut Dice, cluster: &Cluster) -> Update {
    let number = dice.below(SERVICES);
    Update::ServiceApplied(services::service(dice, cluster, number))
}

fn existing_service(dice: &mut Dice, cluster: &Cluster) -> Option<Service> {
    let services: Vec<_> = cluster.services.values().collect();
    (!services.is_empty()).then(|| dice.pick(&services).clone())
}

/// One of the fields.
fn changed(dice: &mut Dice, cluster: &Cluster, before: Service) -> Update {
    let number = dice.below(SERVICES);
    let drawn = services::service(dice, cluster, number);
    Update::ServiceApplied(match dice.below(7) {
        0 => Service { external_policy_local: !before.external_policy_local, ..before },
        1 => Service { internal_policy_local: !before.internal_policy_local, ..before },
        2 => Service { session_affinity: drawn.session_affinity, ..before },
        3 => Service { source_ranges: drawn.source_ranges, ..before },
        4 => Service { load_balancer_ips: outside(&before, drawn.load_balancer_ips), ..before },
        5 => Service { external_ips: outside(&before, drawn.external_ips), ..before },
        _ => Service { ports: drawn.ports, ..before },
    })
}

/// Without its own ClusterIPs.
fn outside(service: &Service, mut addresses: Vec<std::net::IpAddr>) -> Vec<std::net::IpAddr> {
    addresses.retain(|address| !service.cluster_ips.contains(address));
    addresses
}

fn other_node(dice: &mut Dice, cluster: &Cluster) -> Update {
    let drawn = environment::node(dice);
    Update::NodeApplied(match dice.percent(70) {
        true => NodeInfo { zone: drawn.zone, ..cluster.node.clone() },
        false => NodeInfo { addresses: drawn.addresses, ..cluster.node.clone() },
    })
}

/// ServiceCIDRs are objects, and reported; the other settings come from elsewhere.
fn other_environment(dice: &mut Dice, cluster: &mut Cluster) -> Option<Update> {
    let changed = environment::change(dice, &cluster.environment);
    let cidrs = changed.service_cidrs.clone();
    let is_reported = cidrs != cluster.environment.service_cidrs;
    cluster.environment = changed;
    is_reported.then_some(Update::ServiceCidrsReset(cidrs))
}
