//! Who has which address.
//!
//! Both families carry the same digits: the pod 10.244.2.11 is also fd00:10:244:2::11, and
//! the ClusterIP 10.96.0.80 is also fd00:10:96::80.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use portolan_core::Family;
use portolan_lab::Protocol;

/// The name that the EndpointSlices of the example give to the node under test.
pub(super) const NODE_NAME: &str = "demo-node";
/// The name that they give to the other node.
pub(super) const OTHER_NODE_NAME: &str = "other-node";
/// The networks of all pods, as `--cluster-cidr` takes them.
pub(super) const CLUSTER_CIDR: &str = "10.244.0.0/16,fd00:10:244::/48";

/// The pod on the node that calls services and serves none.
pub(super) const CALLER: Host = Host::Pod(Pod::here(99));
/// An address of the ServiceCIDR that no Service has, by its last part.
pub(super) const UNALLOCATED: u8 = 77;

/// A pod, by its node and the last part of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pod {
    node: u8,
    number: u8,
}

impl Pod {
    /// A pod on the node under test.
    pub(super) const fn here(number: u8) -> Pod {
        Pod { node: 1, number }
    }

    /// A pod on another node.
    pub(super) const fn elsewhere(number: u8) -> Pod {
        Pod { node: 2, number }
    }

    pub(super) fn is_here(self) -> bool {
        self.node == 1
    }

    pub(super) fn node_name(self) -> &'static str {
        if self.is_here() { NODE_NAME } else { OTHER_NODE_NAME }
    }

    pub(super) fn address(self, family: Family) -> IpAddr {
        match family {
            Family::V4 => Ipv4Addr::new(10, 244, self.node, self.number).into(),
            Family::V6 => {
                let (node, number) = (digits(self.node), digits(self.number));
                Ipv6Addr::new(0xfd00, 0x10, 0x244, node, 0, 0, 0, number).into()
            }
        }
    }
}

/// The number whose hexadecimal digits are the decimal digits of `number`.
fn digits(number: u8) -> u16 {
    let number = u16::from(number);
    number / 100 * 0x100 + number / 10 % 10 * 0x10 + number % 10
}

/// Whoever can call a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Pod(Pod),
    /// The node under test itself.
    Node,
    /// A host outside the cluster, which routes everything through the node.
    Outside,
}

impl Host {
    pub(super) fn name(self) -> &'static str {
        match self {
            Host::Pod(_) => "pod",
            Host::Node => "node",
            Host::Outside => "outside",
        }
    }

    pub(super) fn address(self, family: Family) -> IpAddr {
        match (self, family) {
            (Host::Pod(pod), _) => pod.address(family),
            (Host::Node, Family::V4) => Ipv4Addr::new(192, 168, 50, 10).into(),
            (Host::Node, Family::V6) => {
                Ipv6Addr::new(0xfd00, 0x192, 0x168, 0x50, 0, 0, 0, 0x10).into()
            }
            (Host::Outside, Family::V4) => Ipv4Addr::new(203, 0, 113, 2).into(),
            (Host::Outside, Family::V6) => {
                Ipv6Addr::new(0x2001, 0xdb8, 0x113, 0, 0, 0, 0, 2).into()
            }
        }
    }
}

/// A Service of the example cluster, as far as the demo has to know it. That the manifests
/// say the same is what the demo shows.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) name: &'static str,
    /// The last part of its ClusterIPs.
    pub(super) number: u8,
    pub(super) port: u16,
    pub(super) node_port: Option<u16>,
    pub(super) protocols: &'static [Protocol],
    /// The port of its pods.
    pub(super) target_port: u16,
    /// The pods in its EndpointSlices.
    pub(super) pods: &'static [Pod],
}

impl Service {
    pub(super) fn cluster_ip(&self, family: Family) -> IpAddr {
        cluster_ip(self.number, family)
    }
}

/// The address of the ServiceCIDR with this last part.
pub(super) fn cluster_ip(number: u8, family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::new(10, 96, 0, number).into(),
        Family::V6 => Ipv6Addr::new(0xfd00, 0x10, 0x96, 0, 0, 0, 0, digits(number)).into(),
    }
}

/// `web.yaml`
pub(super) const WEB: Service = Service {
    name: "web",
    number: 80,
    port: 80,
    node_port: Some(30080),
    protocols: &[Protocol::Tcp],
    target_port: 8080,
    pods: &[Pod::here(11), Pod::here(12), Pod::elsewhere(11)],
};

/// `dns.yaml`
pub(super) const DNS: Service = Service {
    name: "dns",
    number: 53,
    port: 53,
    node_port: None,
    protocols: &[Protocol::Udp, Protocol::Tcp],
    target_port: 5353,
    pods: &[Pod::here(53), Pod::elsewhere(53)],
};

/// `local-only.yaml`
pub(super) const LOCAL_ONLY: Service = Service {
    name: "local-only",
    number: 90,
    port: 80,
    node_port: Some(30090),
    protocols: &[Protocol::Tcp],
    target_port: 8080,
    pods: &[Pod::here(21), Pod::elsewhere(21)],
};

/// `cache.yaml`
pub(super) const CACHE: Service = Service {
    name: "cache",
    number: 70,
    port: 6379,
    node_port: None,
    protocols: &[Protocol::Tcp],
    target_port: 6379,
    pods: &[Pod::here(31), Pod::elsewhere(31)],
};

/// `empty.yaml`
pub(super) const EMPTY: Service = Service {
    name: "empty",
    number: 40,
    port: 80,
    node_port: Some(30040),
    protocols: &[Protocol::Tcp],
    target_port: 8080,
    pods: &[],
};

/// Of the file that is dropped in later and half of which is broken. It shares the pods of
/// `local-only`.
pub(super) const EXTRA: Service = Service {
    name: "extra",
    number: 60,
    port: 80,
    node_port: None,
    protocols: &[Protocol::Tcp],
    target_port: 8080,
    pods: LOCAL_ONLY.pods,
};

/// Every Service of the example.
pub(super) const SERVICES: &[&Service] = &[&WEB, &DNS, &LOCAL_ONLY, &CACHE, &EMPTY];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_carry_the_same_digits() {
        let cases = [
            (Pod::elsewhere(11).address(Family::V4), "10.244.2.11"),
            (Pod::elsewhere(11).address(Family::V6), "fd00:10:244:2::11"),
            (Pod::here(99).address(Family::V6), "fd00:10:244:1::99"),
            (Pod::here(123).address(Family::V6), "fd00:10:244:1::123"),
            (cluster_ip(80, Family::V4), "10.96.0.80"),
            (cluster_ip(80, Family::V6), "fd00:10:96::80"),
            (Host::Node.address(Family::V6), "fd00:192:168:50::10"),
        ];
        for (address, text) in cases {
            assert_eq!(address.to_string(), text);
        }
    }
}
