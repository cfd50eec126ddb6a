//! Random packets to what a cluster has, to what it had not, and to what is next to it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use portolan_core::{Family, Protocol};

use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::packet::Packet;
use crate::world::{Addresses, NODE_PORTS, SERVICE_PORTS, STRANGE_PORT, TARGET_PORTS};

/// The protocols of packets. The lab has no better SCTP than raw sockets, which lose packets
/// when there are many; Services have SCTP ports all the same.
const SENT: [Protocol; 2] = [Protocol::Tcp, Protocol::Udp];

/// Different packets, in random order of their addresses.
pub(crate) fn packets(dice: &mut Dice, cluster: &Cluster, count: usize) -> BTreeSet<Packet> {
    let mut packets = BTreeSet::new();
    // Some are drawn twice; that is no reason to send fewer.
    while packets.len() < count {
        let family = dice.pick(&Family::BOTH);
        let addresses = Addresses::of(family);
        let (protocol, destination) = destination(dice, cluster, family, &addresses);
        let source = source(dice, &addresses, destination.ip());
        packets.insert(Packet { source, protocol, destination });
    }
    packets
}

fn source(dice: &mut Dice, addresses: &Addresses, destination: IpAddr) -> IpAddr {
    if destination.is_loopback() {
        return destination;
    }
    match dice.below(10) {
        0..3 => dice.pick(&addresses.local_endpoints),
        3 => addresses.local_client,
        4..6 => dice.pick(&addresses.node),
        6 => addresses.remote_client,
        _ => dice.pick(&addresses.outside),
    }
}

fn destination(
    dice: &mut Dice,
    cluster: &Cluster,
    family: Family,
    addresses: &Addresses,
) -> (Protocol, SocketAddr) {
    let claimed = match dice.percent(82) {
        true => claimed(cluster, family, addresses),
        false => Vec::new(),
    };
    if !claimed.is_empty() {
        return dice.pick(&claimed);
    }
    let protocol = dice.pick(&SENT);
    let service_port = dice.pick(&SERVICE_PORTS);
    let near = [service_port, STRANGE_PORT, dice.pick(&NODE_PORTS)];
    let loopback: IpAddr = match family {
        Family::V4 => Ipv4Addr::LOCALHOST.into(),
        Family::V6 => Ipv6Addr::LOCALHOST.into(),
    };
    let (address, port) = match dice.below(12) {
        0..4 => (dice.pick(&addresses.cluster_ips), dice.pick(&near)),
        4..6 => (dice.pick(&addresses.external), dice.pick(&near)),
        6 => (dice.pick(&addresses.node), dice.pick(&near)),
        7..11 => (dice.pick(&addresses.endpoints()), dice.pick(&TARGET_PORTS)),
        _ => (loopback, dice.pick(&NODE_PORTS)),
    };
    (protocol, SocketAddr::new(address, port))
}

/// Everything that a Service of the cluster claims, whether it has it or not.
fn claimed(
    cluster: &Cluster,
    family: Family,
    addresses: &Addresses,
) -> Vec<(Protocol, SocketAddr)> {
    let mut claimed = Vec::new();
    for service in cluster.services.values() {
        let own = service.cluster_ips.iter().chain(&service.external_ips);
        let own = own.chain(&service.load_balancer_ips);
        let own: Vec<IpAddr> = own.copied().filter(|it| Family::of(*it) == family).collect();
        for port in service.ports.iter().filter(|port| SENT.contains(&port.protocol)) {
            let on = |address: &IpAddr, port| SocketAddr::new(*address, port);
            let by_address = own.iter().map(|address| on(address, port.port));
            let by_node = addresses.node.iter();
            let by_node = by_node.flat_map(|it| port.node_port.map(|number| on(it, number)));
            claimed.extend(by_address.chain(by_node).map(|it| (port.protocol, it)));
        }
    }
    claimed
}
