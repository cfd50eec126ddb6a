//! What all tests with packets through IPVS need.

use std::net::IpAddr;

use portolan_core::backend::NodePortAddresses;
use portolan_core::{Environment, Family};

/// The same node as IPVS is told of it: it has a virtual server for each address, so where
/// every address takes NodePorts they are listed. `own` are the node's.
pub(crate) fn listed(mut environment: Environment, own: &[IpAddr]) -> Environment {
    for (family, selection) in
        [(Family::V4, &mut environment.node_ports_v4), (Family::V6, &mut environment.node_ports_v6)]
    {
        if *selection == NodePortAddresses::Any {
            let of_family = |ip: &&IpAddr| Family::of(**ip) == family && !ip.is_loopback();
            let mut addresses: Vec<IpAddr> = own.iter().filter(of_family).copied().collect();
            addresses.sort_unstable();
            *selection = NodePortAddresses::Listed(addresses);
        }
    }
    environment
}
