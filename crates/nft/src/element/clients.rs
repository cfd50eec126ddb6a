//! Source ranges: the clients that may use a load balancer's address, as keys.

use std::net::IpAddr;

use ipnet::IpNet;
use portolan_core::{Destination, Frontend, PortPlan};

use super::Element;
use crate::key::Key;

impl Element {
    /// Whether a network of this prefix length, whose first address ends the key, is a host.
    pub(crate) fn is_single_client(&self, prefix_length: u8) -> bool {
        let (_, client) = self.key.split_client();
        client.is_some_and(|client| IpNet::from(client).prefix_len() == prefix_length)
    }
}

/// The last key of the clients of a frontend, whose first key this is.
pub(crate) fn last_client(first: Key, prefix_length: u8) -> Option<Key> {
    let (frontend, client) = first.split_client();
    let network = IpNet::new(client?, prefix_length).ok()?;
    Some(frontend.with_client(network.broadcast()))
}

/// The prefix length of the network between two keys, if it is one.
pub(crate) fn client_prefix(first: Key, last: Key) -> Option<u8> {
    let (frontend, client) = first.split_client();
    let (other, end) = last.split_client();
    let (client, end) = (client?, end?);
    let common = match (client, end) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        _ => return None,
    };
    let length = u8::try_from(common).ok()?;
    let network = IpNet::new(client, length).ok()?;
    let is_whole = network.network() == client && network.broadcast() == end;
    (frontend == other && is_whole).then_some(length)
}

/// The clients that may use a frontend, if not all may.
pub(super) fn restriction<'a>(port: &'a PortPlan, frontend: &Frontend) -> Option<&'a [IpNet]> {
    match frontend.destination {
        Destination::LoadBalancerIp(_) => port.source_ranges.as_deref(),
        _ => None,
    }
}
