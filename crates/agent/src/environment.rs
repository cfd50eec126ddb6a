//! What a backend has to know about this node, from configuration, Node and interfaces.

use std::io;
use std::net::IpAddr;

use ipnet::IpNet;
use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_core::{Environment, Family, NodeInfo};

use crate::config::{BackendKind, Config, LocalPodDetection, NodePortSelection};
use crate::node_ports;

/// Reads the addresses of all interfaces; replaced in tests.
pub(crate) type ReadInterfaces = Box<dyn Fn() -> io::Result<Vec<IpAddr>> + Send>;

/// The environment as far as it is known.
///
/// `node` is this node's object; until it arrives, `primary` NodePort addresses are
/// empty and NodeCIDR detection recognises no pod. Reads the interfaces of this network
/// namespace where `--nodeport-addresses` selects among them.
pub fn environment(
    config: &Config,
    node: Option<&NodeInfo>,
    service_cidrs: &[IpNet],
) -> io::Result<Environment> {
    resolve(config, node, service_cidrs, &node_ports::interface_addresses)
}

pub(crate) fn resolve(
    config: &Config,
    node: Option<&NodeInfo>,
    service_cidrs: &[IpNet],
    read_interfaces: &dyn Fn() -> io::Result<Vec<IpAddr>>,
) -> io::Result<Environment> {
    // IPVS has a virtual server for each address.
    let each = config.backend == BackendKind::Ipvs;
    let interfaces = match node_ports::needs_interfaces(&config.node_ports, each) {
        true => read_interfaces()?,
        false => Vec::new(),
    };
    let addresses = node.map_or(&[][..], |node| &node.addresses);
    let pod_cidrs = node.map_or(&[][..], |node| &node.pod_cidrs);
    let node_ports =
        |family| match node_ports::resolve(&config.node_ports, family, addresses, &interfaces) {
            NodePortAddresses::Any if each => node_ports::all(family, &interfaces),
            selected => selected,
        };
    Ok(Environment {
        service_cidrs: service_cidrs.to_vec(),
        node_ports_v4: node_ports(Family::V4),
        node_ports_v6: node_ports(Family::V6),
        local_pods_v4: local_pods(&config.local_pods, Family::V4, pod_cidrs),
        local_pods_v6: local_pods(&config.local_pods, Family::V6, pod_cidrs),
        localhost_node_ports: config.localhost_node_ports,
    })
}

/// What this node's object does not say although the configuration relies on it, one
/// sentence each. `absent` if the source knows that there is none, rather than nothing
/// about it.
pub fn missing(config: &Config, node: Option<&NodeInfo>, absent: bool) -> Vec<String> {
    let name = &config.node_name;
    let object = match node {
        Some(_) => format!("Node {name}"),
        None if absent => format!("there is no Node {name} (--node-name), which"),
        None => format!(
            "Node {name} (--node-name) could not be read so far (does it exist, and may this \
             agent read it?) and"
        ),
    };
    let mut missing = Vec::new();
    let no_address = node.is_none_or(|node| node.addresses.iter().all(IpAddr::is_loopback));
    if config.node_ports == NodePortSelection::Primary && no_address {
        missing.push(format!(
            "{object} names no address: NodePorts are served on no address. \
             --nodeport-addresses can choose them by network"
        ));
    }
    let no_pod_cidr = node.is_none_or(|node| node.pod_cidrs.is_empty());
    if config.local_pods == LocalPodDetection::NodeCidr && no_pod_cidr {
        missing.push(format!(
            "{object} names no podCIDRs: local pods are not recognised. --detect-local-mode has \
             other ways"
        ));
    }
    missing
}

fn local_pods(detection: &LocalPodDetection, family: Family, pod_cidrs: &[IpNet]) -> LocalPods {
    let first = |networks: &[IpNet]| {
        networks
            .iter()
            .find(|network| Family::of_net(network) == family)
            .map_or(LocalPods::Unknown, |network| LocalPods::Source(*network))
    };
    match detection {
        LocalPodDetection::ClusterCidr(networks) => first(networks),
        LocalPodDetection::NodeCidr => first(pod_cidrs),
        LocalPodDetection::BridgeInterface(name) => LocalPods::Interface(name.clone()),
        LocalPodDetection::InterfaceNamePrefix(prefix) => {
            LocalPods::InterfacePrefix(prefix.clone())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::config;

    fn networks(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn source(text: &str) -> LocalPods {
        LocalPods::Source(text.parse().unwrap())
    }

    #[test]
    fn what_the_node_does_not_say_is_missed_only_where_it_is_needed() {
        let primary = config();
        let both = Config { local_pods: LocalPodDetection::NodeCidr, ..primary.clone() };
        let neither = Config { node_ports: NodePortSelection::Networks(Vec::new()), ..config() };
        let known = NodeInfo {
            addresses: vec![IpAddr::from([192, 0, 2, 1])],
            pod_cidrs: networks(&["10.244.1.0/24"]),
            ..NodeInfo::default()
        };
        let cases = [
            (
                &primary,
                None,
                &["there is no Node node-a (--node-name), which names no address"][..],
            ),
            (&primary, Some(NodeInfo::default()), &["Node node-a names no address"]),
            (&primary, Some(known.clone()), &[]),
            (
                &both,
                Some(NodeInfo::default()),
                &["Node node-a names no address", "Node node-a names no podCIDRs"],
            ),
            (&both, Some(known), &[]),
            (&neither, None, &[]),
        ];
        for (config, node, expected) in cases {
            let missing = missing(config, node.as_ref(), true);
            assert_eq!(missing.len(), expected.len(), "{missing:?}");
            for (missing, expected) in missing.iter().zip(expected) {
                assert!(missing.starts_with(expected), "{missing}");
            }
        }
    }

    #[test]
    fn a_node_that_nothing_is_known_of_is_not_said_to_be_absent() {
        let missing = missing(&config(), None, false);
        assert!(missing[0].contains("could not be read so far"), "{missing:?}");
        assert!(!missing[0].contains("there is no"), "{missing:?}");
    }

    #[test]
    fn each_mode_recognises_local_pods_as_kube_proxy_does() {
        use LocalPods::Unknown;
        let cluster = |texts: &[&str]| LocalPodDetection::ClusterCidr(networks(texts));
        let bridge = || LocalPods::Interface("eth".to_owned());
        let prefix = || LocalPods::InterfacePrefix("eth".to_owned());
        let v4 = "10.0.0.0/14";
        let v6 = "2002:0:0:1234::/64";
        let cases = [
            (cluster(&[v4]), &[][..], source(v4), Unknown),
            (cluster(&[v6]), &[], Unknown, source(v6)),
            (cluster(&[v6, v4]), &[], source(v4), source(v6)),
            (cluster(&[]), &["10.0.0.0/24"], Unknown, Unknown),
            (LocalPodDetection::NodeCidr, &["10.0.0.0/24"], source("10.0.0.0/24"), Unknown),
            (
                LocalPodDetection::NodeCidr,
                &["2002::1234:abcd:ffff:0:0/96", "10.0.0.0/24", "10.1.0.0/24"],
                source("10.0.0.0/24"),
                source("2002::1234:abcd:ffff:0:0/96"),
            ),
            (LocalPodDetection::NodeCidr, &[], Unknown, Unknown),
            (LocalPodDetection::BridgeInterface("eth".to_owned()), &[], bridge(), bridge()),
            (LocalPodDetection::InterfaceNamePrefix("eth".to_owned()), &[], prefix(), prefix()),
        ];
        for (detection, pod_cidrs, v4, v6) in cases {
            let pod_cidrs = networks(pod_cidrs);
            let found = Family::BOTH.map(|family| local_pods(&detection, family, &pod_cidrs));
            assert_eq!(found, [v4, v6], "{detection:?} {pod_cidrs:?}");
        }
    }
}
