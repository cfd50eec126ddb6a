//! Destinations of virtual servers, which IPVS also calls real servers.

use std::net::{IpAddr, SocketAddr};

use super::address::{decode_address, encode_address, encode_port, family_number};
use super::uapi::{FORWARDING_MASK, MASQUERADING, destination};
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;

/// Where a virtual server sends connections, by translating addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    /// Address and port, host byte order.
    pub address: SocketAddr,
    /// Its share of new connections; with 0 it keeps those it has and gets no more.
    pub weight: u32,
}

/// A destination with what the kernel counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DestinationState {
    /// The destination.
    pub destination: Destination,
    /// Whether it is reached as ours are: by translation, with no bound on its connections.
    pub plain: bool,
    /// Connections that are established.
    pub active: u32,
    /// Connections that begin or end, and all of UDP.
    pub inactive: u32,
    /// Clients that are remembered.
    pub persistent: u32,
}

/// Writes the attributes that identify a destination.
pub(super) fn encode_key(address: SocketAddr, encoder: &mut Encoder) {
    encode_address(encoder, destination::ADDRESS, address.ip());
    encode_port(encoder, destination::PORT, address.port());
    // Since Linux 3.18; before, it was taken from the server.
    let number = family_number(address.is_ipv6());
    encoder.attribute(destination::FAMILY, &number.to_ne_bytes());
}

impl Destination {
    /// Writes all attributes.
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        encode_key(self.address, encoder);
        for (kind, number) in [
            (destination::FORWARDING, MASQUERADING),
            (destination::WEIGHT, self.weight),
            (destination::UPPER_THRESHOLD, 0),
            (destination::LOWER_THRESHOLD, 0),
        ] {
            encoder.attribute(kind, &number.to_ne_bytes());
        }
    }
}

impl DestinationState {
    /// Reads the attributes of a destination. `None` if they are none.
    pub(super) fn decode(bytes: &[u8]) -> Option<DestinationState> {
        let set = AttributeSet::<12>::parse(bytes)?;
        let ip: IpAddr =
            decode_address(set.get(destination::ADDRESS)?, set.ne16(destination::FAMILY)?)?;
        let number = |kind| set.ne32(kind);
        let address = SocketAddr::new(ip, set.be16(destination::PORT)?);
        let limits = [destination::UPPER_THRESHOLD, destination::LOWER_THRESHOLD];
        let forwarding = number(destination::FORWARDING)? & FORWARDING_MASK;
        Some(DestinationState {
            destination: Destination { address, weight: number(destination::WEIGHT)? },
            plain: forwarding == MASQUERADING
                && limits.iter().all(|kind| number(*kind).unwrap_or_default() == 0),
            active: number(destination::ACTIVE_CONNECTIONS).unwrap_or_default(),
            inactive: number(destination::INACTIVE_CONNECTIONS).unwrap_or_default(),
            persistent: number(destination::PERSISTENT_CONNECTIONS).unwrap_or_default(),
        })
    }
}
