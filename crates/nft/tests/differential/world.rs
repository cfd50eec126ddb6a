//! Who and what there is, whatever the cluster says: hosts, addresses and ports.
//!
//! Every address that a Service may claim has servers, as if it were a pod on another node
//! or, for the node's own addresses, a program of the node. Thus what is let through by
//! mistake is answered, and seen.

use std::net::IpAddr;

use ipnet::IpNet;
use portolan_core::{Family, Protocol};
use portolan_lab::{Server, TopologySpec};

/// The node under test.
pub(crate) const NODE: &str = "node-a";
/// Another node.
pub(crate) const OTHER_NODE: &str = "node-b";
/// The names and protocols of ports.
pub(crate) const PORT_NAMES: [(&str, Protocol); 6] = [
    ("", Protocol::Tcp),
    ("dns", Protocol::Tcp),
    ("dns", Protocol::Udp),
    ("http", Protocol::Tcp),
    ("quic", Protocol::Udp),
    ("diameter", Protocol::Sctp),
];
/// Zones.
pub(crate) const ZONES: [&str; 2] = ["zone-1", "zone-2"];
/// Ports that Services have.
pub(crate) const SERVICE_PORTS: [u16; 3] = [53, 80, 443];
/// Ports that nobody has.
pub(crate) const STRANGE_PORT: u16 = 81;
/// Where NodePorts are taken from; no masqueraded connection comes from there.
pub(crate) const NODE_PORT_RANGE: std::ops::RangeInclusive<u16> = 30_000..=32_767;
/// NodePorts.
pub(crate) const NODE_PORTS: [u16; 8] =
    [30_000, 30_053, 30_080, 30_081, 30_443, 31_000, 32_000, 32_767];
/// Ports that endpoints have.
pub(crate) const TARGET_PORTS: [u16; 3] = [5353, 8080, 8443];

/// The addresses of one family.
pub(crate) struct Addresses {
    /// Of the node: its main one, another one, and one that is also a load balancer's.
    pub(crate) node: Vec<IpAddr>,
    /// Pods of the node that can be endpoints.
    pub(crate) local_endpoints: Vec<IpAddr>,
    /// Pods of other nodes that can be endpoints.
    pub(crate) remote_endpoints: Vec<IpAddr>,
    /// A pod of the node that is never an endpoint.
    pub(crate) local_client: IpAddr,
    /// A pod of another node that is never an endpoint.
    pub(crate) remote_client: IpAddr,
    /// Hosts outside the cluster.
    pub(crate) outside: Vec<IpAddr>,
    /// From which ClusterIPs are allocated.
    pub(crate) cluster_ips: Vec<IpAddr>,
    /// External IPs and addresses of load balancers; the last two are the node's own.
    pub(crate) external: Vec<IpAddr>,
    /// Networks that can be ServiceCIDRs.
    pub(crate) service_cidrs: Vec<IpNet>,
    /// The pods of this node, of all nodes, some of this node, and everyone.
    pub(crate) pod_networks: Vec<IpNet>,
    /// Networks that source ranges are taken from.
    pub(crate) source_ranges: Vec<IpNet>,
}

impl Addresses {
    /// Those of a family.
    pub(crate) fn of(family: Family) -> Addresses {
        match family {
            Family::V4 => v4(),
            Family::V6 => v6(),
        }
    }

    /// Everything that can be an endpoint. The node's main address can, too: its pods that
    /// use the node's network have it.
    pub(crate) fn endpoints(&self) -> Vec<IpAddr> {
        let host_network = self.node.iter().take(1);
        host_network.chain(&self.local_endpoints).chain(&self.remote_endpoints).copied().collect()
    }

    /// Whether a pod with this address is on the node under test.
    pub(crate) fn is_here(&self, endpoint: IpAddr) -> bool {
        self.node.contains(&endpoint) || self.local_endpoints.contains(&endpoint)
    }
}

fn v4() -> Addresses {
    Addresses {
        node: all(["192.168.0.2", "192.168.1.2", "198.51.100.7"]),
        local_endpoints: all(["10.180.0.1", "10.180.0.2", "10.180.0.3"]),
        remote_endpoints: all(["10.180.1.1", "10.180.1.2", "10.180.1.3"]),
        local_client: one("10.180.0.200"),
        remote_client: one("10.180.2.1"),
        outside: all(["203.0.113.2", "203.0.113.177"]),
        cluster_ips: (1..13).map(|host| IpAddr::from([172, 30, 0, host])).collect(),
        external: all([
            "198.51.100.1",
            "198.51.100.2",
            "198.51.100.3",
            "198.51.100.7",
            "192.168.1.2",
        ]),
        service_cidrs: all(["172.30.0.0/24", "172.30.0.0/29", "172.30.0.8/30", "198.51.100.0/29"]),
        pod_networks: all(["10.180.0.0/24", "10.180.0.0/16", "10.180.0.0/30", "0.0.0.0/0"]),
        source_ranges: all([
            "203.0.113.0/25",
            "203.0.113.177/32",
            "203.0.112.0/20",
            "10.180.0.0/24",
            "192.168.0.0/24",
            "192.168.1.0/24",
            "198.51.100.0/24",
            "0.0.0.0/0",
        ]),
    }
}

fn v6() -> Addresses {
    Addresses {
        node: all(["2001:db8::1", "2001:db8:1::2", "2001:db8:51::7"]),
        local_endpoints: all(["fd00:10:180::1", "fd00:10:180::2", "fd00:10:180::3"]),
        remote_endpoints: all(["fd00:10:180:1::1", "fd00:10:180:1::2", "fd00:10:180:1::3"]),
        local_client: one("fd00:10:180::200"),
        remote_client: one("fd00:10:180:2::1"),
        outside: all(["2600:5200::2", "2600:5200::8002"]),
        cluster_ips: (1..13)
            .map(|host| IpAddr::from([0xfd00, 0x172, 0x30, 0, 0, 0, 0, host]))
            .collect(),
        external: all([
            "2001:db8:51::1",
            "2001:db8:51::2",
            "2001:db8:51::3",
            "2001:db8:51::7",
            "2001:db8:1::2",
        ]),
        service_cidrs: all([
            "fd00:172:30::/112",
            "fd00:172:30::/125",
            "fd00:172:30::8/126",
            "2001:db8:51::/125",
        ]),
        pod_networks: all(["fd00:10:180::/64", "fd00:10:180::/48", "fd00:10:180::/126", "::/0"]),
        source_ranges: all([
            "2600:5200::/113",
            "2600:5200::8002/128",
            "2600:5200::/32",
            "fd00:10:180::/64",
            "2001:db8:0::/64",
            "2001:db8:1::/64",
            "2001:db8:51::/64",
            "::/0",
        ]),
    }
}

/// The hosts and servers for every cluster that can be generated.
pub(crate) fn topology() -> TopologySpec {
    let families = Family::BOTH.map(Addresses::of);
    let mut spec = TopologySpec { node_addresses: Vec::new(), ..TopologySpec::default() };
    let [v4, v6] = &families;
    let pods = |addresses: &Addresses| {
        addresses.local_endpoints.iter().copied().chain([addresses.local_client]).collect()
    };
    let (pods_v4, pods_v6): (Vec<_>, Vec<_>) = (pods(v4), pods(v6));
    spec.pods.extend(pods_v4.into_iter().zip(pods_v6).map(|(v4, v6)| vec![v4, v6]));
    for addresses in &families {
        spec.node_addresses.extend(addresses.node.iter().map(|address| IpNet::from(*address)));
        // Not with the other nodes' endpoints: these could not answer it around the node.
        spec.clients.extend(addresses.outside.iter().copied().chain([addresses.remote_client]));
        let others = addresses.remote_endpoints.iter().chain(&addresses.cluster_ips);
        let others = others.chain(&addresses.external);
        spec.remote_pods.extend(others.filter(|address| !addresses.node.contains(address)));
        let hosts = addresses.endpoints().into_iter().chain(addresses.external.iter().copied());
        spec.servers.extend(hosts.flat_map(servers));
    }
    spec
}

fn servers(address: IpAddr) -> impl Iterator<Item = Server> {
    use portolan_lab::Protocol::{Tcp, Udp};
    let ports = SERVICE_PORTS.into_iter().chain([STRANGE_PORT]).chain(NODE_PORTS);
    ports
        .chain(TARGET_PORTS)
        .flat_map(move |port| [Tcp, Udp].map(|protocol| Server { address, protocol, port }))
}

fn one(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn all<T: std::str::FromStr<Err: std::fmt::Debug>, const N: usize>(texts: [&str; N]) -> Vec<T> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}
