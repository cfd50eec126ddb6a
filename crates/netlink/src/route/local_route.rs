//! Routes by which this node takes the packets of a network for its own.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::policy_rule::{family_number, is_v6};
use super::uapi::{HEADER, PROTOCOL, route};
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;

/// A route of ours: packets to any address of a network are delivered to this node itself,
/// for as long as the table is asked.
///
/// No interface gets an address. That has a consequence for IPv4: sockets of this node
/// receive such packets, but cannot answer from these addresses unless they are transparent
/// (`IP_TRANSPARENT`), for the kernel looks a source address up in the table `local` alone
/// (`__ip_dev_find` in `net/ipv4/devinet.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalRoute {
    /// The network. Bits of the address beyond the prefix do not count; listings have none.
    pub network: IpNet,
    /// The number of the table, not zero.
    pub table: u32,
}

impl fmt::Display for LocalRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "local route to {} in table {}", self.network.trunc(), self.table)
    }
}

impl LocalRoute {
    pub(super) const fn is_v6(&self) -> bool {
        matches!(self.network, IpNet::V6(_))
    }

    /// `struct rtmsg`: family, lengths of destination and source, type of service, table,
    /// protocol, scope, type, flags. Tables have longer numbers than fit here.
    pub(super) fn header(&self) -> [u8; HEADER] {
        let (number, length) = (family_number(self.is_v6()), self.network.prefix_len());
        [number, length, 0, 0, 0, PROTOCOL, route::SCOPE_HOST, route::LOCAL, 0, 0, 0, 0]
    }

    /// Writes the attributes that identify a route of ours.
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        match self.network.network() {
            IpAddr::V4(address) => encoder.attribute(route::DESTINATION, &address.octets()),
            IpAddr::V6(address) => encoder.attribute(route::DESTINATION, &address.octets()),
        }
        encoder.ne32(route::TABLE, self.table);
        encoder.ne32(route::OUTPUT_INTERFACE, route::LOOPBACK);
    }

    /// Writes what puts a new route before those of others. IPv4 puts it there by itself.
    pub(super) fn encode_metric(&self, encoder: &mut Encoder) {
        if self.is_v6() {
            encoder.ne32(route::METRIC, route::FIRST_METRIC);
        }
    }

    /// Reads a route that a listing has. `None` if it is not ours, or does anything else.
    pub(super) fn decode(payload: &[u8]) -> Option<LocalRoute> {
        let (&[number, length, from, service, _, protocol, _, kind, ..], attributes) =
            payload.split_first_chunk::<HEADER>()?;
        let set = AttributeSet::<16>::parse(attributes)?;
        if (from, service, protocol, kind) != (0, 0, PROTOCOL, route::LOCAL)
            || set.ne32(route::OUTPUT_INTERFACE) != Some(route::LOOPBACK)
        {
            return None;
        }
        let address = match (is_v6(number)?, set.get(route::DESTINATION)) {
            // The kernel leaves out zeroes.
            (false, None) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            (true, None) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
            (false, Some(bytes)) => <[u8; 4]>::try_from(bytes).ok()?.into(),
            (true, Some(bytes)) => <[u8; 16]>::try_from(bytes).ok()?.into(),
        };
        let network = IpNet::new(address, length).ok()?;
        Some(LocalRoute { network, table: set.ne32(route::TABLE)? })
    }
}
