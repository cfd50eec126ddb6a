use std::net::IpAddr;

use ipnet::IpNet;
use portolan_core::{Family, Service, ServicePort, ServiceType, SessionAffinity};

use super::service_name;
use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::world::{Addresses, NODE_PORTS, PORT_NAMES, SERVICE_PORTS};

/// Longer than a run: no client is forgotten because time passes.
const AFFINITIES: [SessionAffinity; 2] =
    [SessionAffinity { timeout_seconds: 10_800 }, SessionAffinity { timeout_seconds: 3_600 }];

const TYPES: [ServiceType; 9] = [
    ServiceType::ClusterIP,
    ServiceType::ClusterIP,
    ServiceType::NodePort,
    ServiceType::NodePort,
    ServiceType::NodePort,
    ServiceType::LoadBalancer,
    ServiceType::LoadBalancer,
    ServiceType::LoadBalancer,
    ServiceType::ExternalName,
];

/// A Service that may claim what others have. It stays as old as it is, if it is there.
pub(super) fn service(dice: &mut Dice, cluster: &Cluster, number: usize) -> Service {
    let name = service_name(number);
    let service_type = dice.pick(&TYPES);
    let cluster_ips = cluster_ips(dice, number);
    let load_balancer = service_type == ServiceType::LoadBalancer;
    let load_balancer_ips = match dice.percent(if load_balancer { 80 } else { 6 }) {
        true => external(dice, &cluster_ips),
        false => Vec::new(),
    };
    let external_ips = match dice.percent(35) {
        true => external(dice, &cluster_ips),
        false => Vec::new(),
    };
    Service {
        created: created(dice, cluster, &name),
        service_type,
        ports: ports(dice, service_type),
        external_ips,
        source_ranges: match load_balancer_ips.is_empty() {
            true => Vec::new(),
            false => source_ranges(dice),
        },
        load_balancer_ips,
        cluster_ips,
        external_policy_local: dice.percent(45),
        internal_policy_local: dice.percent(30),
        session_affinity: dice.percent(55).then(|| dice.pick(&AFFINITIES)),
        ..Service::new(name)
    }
}

/// Another time for each Service: nothing says who has what two claim that are of one age.
/// Without a time, one is younger than all others.
fn created(dice: &mut Dice, cluster: &Cluster, name: &portolan_core::ObjectName) -> Option<i64> {
    if let Some(known) = cluster.services.get(name) {
        return known.created;
    }
    loop {
        let created = match dice.percent(5) {
            true => None,
            false => i64::try_from(dice.below(1000)).ok(),
        };
        if cluster.services.values().all(|service| service.created != created) {
            return created;
        }
    }
}

/// None for a headless Service. Every so often the address of another one.
fn cluster_ips(dice: &mut Dice, number: usize) -> Vec<IpAddr> {
    let [v4, v6] = Family::BOTH.map(|family| {
        let Addresses { cluster_ips: addresses, node: nodes, .. } = Addresses::of(family);
        let own = addresses.get(number).copied().unwrap();
        match dice.below(100) {
            0..12 => dice.pick(&addresses),
            // Nothing stops a cluster's administrator.
            12..14 => dice.pick(&nodes),
            _ => own,
        }
    });
    match dice.below(10) {
        0 => Vec::new(),
        1 | 2 => vec![v4],
        3 | 4 => vec![v6],
        5 | 6 => vec![v6, v4],
        _ => vec![v4, v6],
    }
}

/// External IPs or addresses of load balancers. Some are ClusterIPs of other Services.
fn external(dice: &mut Dice, own: &[IpAddr]) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for addresses in Family::BOTH.map(Addresses::of) {
        found.extend(dice.some(&addresses.external, 30));
        if dice.percent(10) {
            found.push(dice.pick(&addresses.cluster_ips));
        }
    }
    found.retain(|address| !own.contains(address));
    found
}

fn source_ranges(dice: &mut Dice) -> Vec<IpNet> {
    let mut ranges = Vec::new();
    for addresses in Family::BOTH.map(Addresses::of) {
        if dice.percent(40) {
            let count = 1 + dice.below(2);
            ranges.extend(dice.several(&addresses.source_ranges, count));
        }
    }
    ranges
}

fn ports(dice: &mut Dice, service_type: ServiceType) -> Vec<ServicePort> {
    let count = 1 + dice.below(3);
    let mut ports: Vec<ServicePort> = Vec::new();
    let has_node_ports = matches!(service_type, ServiceType::NodePort | ServiceType::LoadBalancer);
    for (name, protocol) in dice.several(&PORT_NAMES, count) {
        let port = dice.pick(&SERVICE_PORTS);
        let wanted = dice.percent(if has_node_ports { 85 } else { 4 });
        let node_port = wanted.then(|| dice.pick(&NODE_PORTS));
        // Two ports of one Service never have the same number and protocol.
        let is_free = |known: &ServicePort| {
            known.protocol != protocol
                || known.port != port && (node_port.is_none() || known.node_port != node_port)
        };
        if ports.iter().all(is_free) {
            ports.push(ServicePort { name: name.into(), protocol, port, node_port });
        }
    }
    ports
}
