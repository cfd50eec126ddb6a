//! Which Service an address and port belongs to.

use std::net::{IpAddr, SocketAddr};

use portolan_core::{Family, Service, ServicePort, ServiceType};

use crate::cluster::Cluster;
use crate::packet::Packet;

/// What a Service is reached by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    ClusterIp,
    /// Also if it is an external IP of the same Service.
    LoadBalancer,
    ExternalIp,
    NodePort,
}

/// A Service port that has what a packet is sent to.
pub(super) struct Claim<'a> {
    pub(super) service: &'a Service,
    pub(super) port: &'a ServicePort,
    pub(super) of: Kind,
}

/// Who has the packet's port of an address, or as a NodePort if there is none. Of all
/// Services that claim it, the one whose ClusterIP it is has it, else the oldest.
pub(super) fn owner<'a>(
    cluster: &'a Cluster,
    packet: &Packet,
    address: Option<IpAddr>,
) -> Option<Claim<'a>> {
    let mut services: Vec<&Service> = cluster.services.values().collect();
    services.sort_by_key(|service| service.created.unwrap_or(i64::MAX));
    let claims = services.into_iter().filter_map(|service| {
        let of = claimed(service, packet, address)?;
        let number = packet.destination.port();
        let port = service.ports.iter().find(|port| {
            let has = if of == Kind::NodePort { port.node_port } else { Some(port.port) };
            port.protocol == packet.protocol && has == Some(number)
        })?;
        Some(Claim { service, port, of })
    });
    claims.min_by_key(|claim| claim.of != Kind::ClusterIp)
}

/// The ClusterIP and port of a claim's Service, unless an older Service has them.
pub(super) fn home(cluster: &Cluster, packet: &Packet, claim: &Claim<'_>) -> Option<SocketAddr> {
    let cluster_ip = cluster_ip(claim.service, packet.family())?;
    let destination = SocketAddr::new(cluster_ip, claim.port.port);
    let there = owner(cluster, &Packet { destination, ..*packet }, Some(cluster_ip))?;
    (there.service.name == claim.service.name).then_some(destination)
}

/// What an address is to a Service, if it is anything.
fn claimed(service: &Service, packet: &Packet, address: Option<IpAddr>) -> Option<Kind> {
    let cluster_ip = cluster_ip(service, packet.family())?;
    let Some(address) = address else { return Some(Kind::NodePort) };
    if address == cluster_ip {
        Some(Kind::ClusterIp)
    } else if service.load_balancer_ips.contains(&address) {
        Some(Kind::LoadBalancer)
    } else if service.external_ips.contains(&address) {
        Some(Kind::ExternalIp)
    } else {
        None
    }
}

/// The address of a Service in a family. Without one it has nothing else in it either.
fn cluster_ip(service: &Service, family: Family) -> Option<IpAddr> {
    let is_of_family = |address: &IpAddr| Family::of(*address) == family;
    let served = service.service_type != ServiceType::ExternalName;
    service.cluster_ips.iter().copied().find(is_of_family).filter(|_| served)
}

/// Whether a Service has this ClusterIP, whatever its ports.
pub(super) fn is_cluster_ip(cluster: &Cluster, address: IpAddr) -> bool {
    let family = Family::of(address);
    cluster.services.values().any(|service| cluster_ip(service, family) == Some(address))
}
