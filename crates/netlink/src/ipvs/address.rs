//! Addresses as IPVS has them: always 16 bytes, an IPv4 address in the first four
//! (`union nf_inet_addr`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::uapi::family;
use crate::wire::encoder::Encoder;

pub(super) const fn family_number(v6: bool) -> u16 {
    if v6 { family::V6 } else { family::V4 }
}

pub(super) fn encode_address(encoder: &mut Encoder, kind: u16, address: IpAddr) {
    let bytes = match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(address) => address.octets(),
    };
    encoder.attribute(kind, &bytes);
}

/// Ports alone are in network byte order.
pub(super) fn encode_port(encoder: &mut Encoder, kind: u16, port: u16) {
    encoder.attribute(kind, &port.to_be_bytes());
}

pub(super) fn decode_address(bytes: &[u8], number: u16) -> Option<IpAddr> {
    match number {
        family::V4 => bytes.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into()),
        family::V6 => bytes.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets).into()),
        _ => None,
    }
}
