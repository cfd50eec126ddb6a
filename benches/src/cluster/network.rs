//! Which networks there are, and who has which address in them.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

/// Pods: eight million addresses, of which the last 65,536 are left to the lab.
pub(crate) const POD_NETWORK_V4: &str = "10.128.0.0/9";
pub(crate) const POD_NETWORK_V6: &str = "fd00:10:128::/64";
/// ClusterIPs: a million addresses, as kubeadm has them.
pub(crate) const SERVICE_NETWORK_V4: &str = "10.96.0.0/12";
pub(super) const SERVICE_NETWORK_V6: &str = "fd00:10:96::/108";
/// NodePorts, the API server's default range. Services beyond its end go without one.
pub(super) const NODE_PORTS: RangeInclusive<u16> = 30_000..=32_767;

/// The first addresses are not given to services: the API server reserves `.1`.
const FIRST_SERVICE: u32 = 10;

/// Services that have an address of their own, by their numbers from 0 on.
pub(crate) const MOST_SERVICES: u32 = (1 << 20) - FIRST_SERVICE;
/// And those of them that have one of a load balancer.
pub(crate) const MOST_LOAD_BALANCERS: u32 = (1 << 17) - FIRST_SERVICE;
/// Pods that have an address of their own, by their numbers from 0 on.
pub(crate) const MOST_PODS: u32 = (1 << 23) - (1 << 16) - 1;

pub(crate) fn pod_v4(pod: u32) -> Ipv4Addr {
    offset_v4(Ipv4Addr::new(10, 128, 0, 0), pod + 1)
}

pub(crate) fn pod_v6(pod: u32) -> Ipv6Addr {
    offset_v6(Ipv6Addr::new(0xfd00, 0x10, 0x128, 0, 0, 0, 0, 0), pod + 1)
}

pub(crate) fn cluster_ip_v4(service: u32) -> Ipv4Addr {
    offset_v4(Ipv4Addr::new(10, 96, 0, 0), service + FIRST_SERVICE)
}

pub(super) fn cluster_ip_v6(service: u32) -> Ipv6Addr {
    offset_v6(Ipv6Addr::new(0xfd00, 0x10, 0x96, 0, 0, 0, 0, 0), service + FIRST_SERVICE)
}

/// Of the network for benchmarks, RFC 2544: 131,072 addresses.
pub(super) fn load_balancer_v4(service: u32) -> Ipv4Addr {
    offset_v4(Ipv4Addr::new(198, 18, 0, 0), service + FIRST_SERVICE)
}

fn offset_v4(network: Ipv4Addr, offset: u32) -> Ipv4Addr {
    Ipv4Addr::from_bits(network.to_bits().wrapping_add(offset))
}

fn offset_v6(network: Ipv6Addr, offset: u32) -> Ipv6Addr {
    Ipv6Addr::from_bits(network.to_bits().wrapping_add(u128::from(offset)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_service_and_pod_are_in_their_networks() {
        assert_eq!(cluster_ip_v4(MOST_SERVICES - 1), Ipv4Addr::new(10, 111, 255, 255));
        assert_eq!(load_balancer_v4(MOST_LOAD_BALANCERS - 1), Ipv4Addr::new(198, 19, 255, 255));
        assert_eq!(pod_v4(MOST_PODS - 1), Ipv4Addr::new(10, 254, 255, 255));
    }
}
