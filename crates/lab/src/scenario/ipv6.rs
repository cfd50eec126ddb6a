//! The same scenario in the other family.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

use super::{EndpointSlice, Packet, Scenario, Service};

impl Scenario {
    /// The scenario with every IPv4 address replaced by an IPv6 address: what lay in one
    /// network still does, private addresses stay private, and what is loopback stays so.
    /// A scenario of IPv6 is returned as it is.
    #[must_use]
    pub fn in_ipv6(&self) -> Scenario {
        let mut scenario = self.clone();
        let config = &mut scenario.config;
        config.family = "IPv6".to_owned();
        translate(&mut config.node_ip);
        config.node_addresses.iter_mut().for_each(translate);
        config.node_port_addresses.iter_mut().for_each(translate_network);
        config.service_cidrs.iter_mut().for_each(translate_network);
        config.detect_local.iter_mut().for_each(translate_network);
        scenario.services.iter_mut().for_each(translate_service);
        for phase in &mut scenario.phases {
            phase.endpoint_slices.iter_mut().for_each(translate_slice);
            phase.packets.iter_mut().for_each(translate_packet);
        }
        scenario
    }
}

fn translate_service(service: &mut Service) {
    translate(&mut service.cluster_ip);
    service.external_ips.iter_mut().for_each(translate);
    service.lb_ingress.iter_mut().for_each(|ingress| translate(&mut ingress.ip));
    for range in &mut service.load_balancer_source_ranges {
        if let Ok(mut network) = range.trim().parse() {
            translate_network(&mut network);
            *range = network.to_string();
        }
    }
}

fn translate_slice(slice: &mut EndpointSlice) {
    slice.address_type = "IPv6".to_owned();
    slice.endpoints.iter_mut().for_each(|endpoint| translate(&mut endpoint.ip));
}

fn translate_packet(packet: &mut Packet) {
    translate(&mut packet.source);
    translate(&mut packet.destination);
    for endpoint in &mut packet.endpoints {
        let mut ip = endpoint.ip();
        translate(&mut ip);
        *endpoint = SocketAddr::new(ip, endpoint.port());
    }
}

/// `a.b.c.d` becomes `fd00:a:b:c::d` or, if it is public, `2600:a:b:c::d`.
fn translate(address: &mut IpAddr) {
    if let IpAddr::V4(v4) = *address {
        *address = if v4.is_loopback() { Ipv6Addr::LOCALHOST.into() } else { embed(v4).into() };
    }
}

fn embed(v4: Ipv4Addr) -> Ipv6Addr {
    let [a, b, c, d] = v4.octets().map(u16::from);
    let prefix = if v4.is_private() { 0xfd00 } else { 0x2600 };
    Ipv6Addr::new(prefix, a, b, c, 0, 0, 0, d)
}

fn translate_network(network: &mut IpNet) {
    let IpNet::V4(v4) = *network else { return };
    let length = v4.prefix_len();
    let rest = length % 8;
    let octets = if rest == 0 { 0 } else { 8 + rest };
    let length = match length {
        0 => 0,
        1..=24 => 16 + length / 8 * 16 + octets,
        32 => 128,
        _ => 112 + octets,
    };
    if let Ok(translated) = IpNet::new(embed(v4.addr()).into(), length) {
        *network = translated;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_hold_the_same_addresses_in_both_families() {
        let networks =
            ["0.0.0.0/0", "10.0.0.0/8", "172.16.0.0/12", "172.30.0.0/16", "192.168.0.0/24"];
        let hosts = ["203.0.113.0/25", "192.168.0.2/32"];
        let addresses = [
            "10.0.0.2",
            "10.180.0.1",
            "11.0.0.1",
            "172.30.0.41",
            "172.31.0.1",
            "172.32.0.1",
            "192.168.0.2",
            "192.168.0.3",
            "192.168.1.2",
            "203.0.113.2",
            "203.0.113.130",
        ];
        for network in networks.into_iter().chain(hosts) {
            let network: IpNet = network.parse().unwrap();
            let mut translated = network;
            translate_network(&mut translated);
            for address in addresses {
                let address: IpAddr = address.parse().unwrap();
                let mut other = address;
                translate(&mut other);
                let (before, after) = (network.contains(&address), translated.contains(&other));
                assert_eq!(before, after, "{address} in {network}, {other} in {translated}");
            }
        }
    }

    #[test]
    fn nothing_of_ipv4_is_left() {
        for scenario in super::super::Scenarios::load().unwrap().all() {
            let translated = scenario.in_ipv6();
            assert_eq!(translated.in_ipv6(), translated, "{}", scenario.id);
            assert!(translated.config.node_addresses.iter().all(IpAddr::is_ipv6));
        }
    }
}
