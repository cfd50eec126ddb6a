//! `spec.loadBalancerSourceRanges`: who may use the load balancer's addresses.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::model::{Family, Service};
use crate::plan::{Destination, Frontend};

/// The clients of a family that may use a port's load balancer addresses; `None` for all.
///
/// A range of length 0 lifts those of its family. Of the others, ranges of one family say
/// nothing good of the other: where all are of the other family, nobody may. kube-proxy lets
/// everybody in.
///
/// A node that holds such an address itself, on its loopback say, uses it as its source when
/// it connects to it. If the ranges admit the node, they must admit that too, also where
/// another Service has the port of that address.
pub(crate) fn source_ranges(
    service: &Service,
    family: Family,
    frontends: &[Frontend],
    node_addresses: &[IpAddr],
) -> Option<Vec<IpNet>> {
    let all = &service.source_ranges;
    let is_lifted =
        |family| all.iter().any(|it| it.prefix_len() == 0 && Family::of_net(it) == family);
    let restricts = |net: &IpNet| !is_lifted(Family::of_net(net));
    if !frontends.iter().any(is_balancer) || is_lifted(family) || !all.iter().any(restricts) {
        return None;
    }
    let ranges = all.iter().filter(|net| Family::of_net(net) == family);
    let mut ranges: Vec<IpNet> = ranges.map(IpNet::trunc).collect();
    let admits = |ip: &IpAddr| ranges.iter().any(|net| net.contains(ip));
    if node_addresses.iter().any(admits) {
        let balancers = service.load_balancer_ips.iter().copied();
        ranges.extend(balancers.filter(|ip| Family::of(*ip) == family).map(IpNet::from));
    }
    ranges = IpNet::aggregate(&ranges);
    ranges.sort_unstable();
    Some(ranges)
}

fn is_balancer(frontend: &Frontend) -> bool {
    matches!(frontend.destination, Destination::LoadBalancerIp(_))
}
