//! One entry of connection tracking.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::uapi::{flow, ip, protocol, status, tuple};
use crate::nftables::Family;
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;

/// The addresses and ports of packets in one direction. Ports are in host byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tuple {
    /// Whom the packets come from.
    pub source: SocketAddr,
    /// Whom they go to.
    pub destination: SocketAddr,
}

/// One entry of connection tracking, of a protocol that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// The IP protocol number.
    pub protocol: u8,
    /// The packets of whoever began, before translation.
    pub original: Tuple,
    /// The answers, before they are translated back: their source is whom the flow was
    /// translated to, or the original destination if it was not.
    pub reply: Tuple,
    /// An answer has been seen (`IPS_SEEN_REPLY`).
    pub answered: bool,
    /// Tells this entry from a later one between the same addresses.
    pub id: u32,
    /// The zone of the original direction; 0 unless a rule chose one.
    pub zone: u16,
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tuple { source, destination } = self.original;
        write!(f, "{source} -> {destination} (protocol {})", self.protocol)
    }
}

impl Flow {
    /// Reads the attributes of a message. `None` if they are no flow between two ports.
    pub(super) fn decode(attributes: &[u8]) -> Option<Flow> {
        let set = AttributeSet::<19>::parse(attributes)?;
        let original = set.nested::<4>(flow::ORIGINAL)?;
        let zone = set.get(flow::ZONE).or_else(|| original.get(tuple::ZONE));
        let (number, original) = Tuple::decode(&original)?;
        let (_, reply) = Tuple::decode(&set.nested::<4>(flow::REPLY)?)?;
        Some(Flow {
            protocol: number,
            original,
            reply,
            answered: set.be32(flow::STATUS).unwrap_or_default() & status::SEEN_REPLY != 0,
            id: set.be32(flow::ID)?,
            zone: match zone {
                Some(bytes) => u16::from_be_bytes(bytes.try_into().ok()?),
                None => 0,
            },
        })
    }

    /// Writes what tells this flow from every other.
    pub(super) fn encode_identity(&self, encoder: &mut Encoder) {
        encoder.nested(flow::ORIGINAL, |encoder| self.original.encode(self.protocol, encoder));
        encoder.be32(flow::ID, self.id);
        if self.zone != 0 {
            encoder.attribute(flow::ZONE, &self.zone.to_be_bytes());
        }
    }

    pub(super) fn family(&self) -> Family {
        match self.original.destination {
            SocketAddr::V4(_) => Family::Ip,
            SocketAddr::V6(_) => Family::Ip6,
        }
    }
}

impl Tuple {
    fn decode(set: &AttributeSet<'_, 4>) -> Option<(u8, Tuple)> {
        let (source, destination) = addresses(&set.nested::<5>(tuple::IP)?)?;
        let ports = set.nested::<4>(tuple::PROTOCOL)?;
        let port = |kind| ports.get(kind)?.try_into().ok().map(u16::from_be_bytes);
        let tuple = Tuple {
            source: SocketAddr::new(source, port(protocol::SOURCE_PORT)?),
            destination: SocketAddr::new(destination, port(protocol::DESTINATION_PORT)?),
        };
        Some((ports.u8(protocol::NUMBER)?, tuple))
    }

    fn encode(&self, number: u8, encoder: &mut Encoder) {
        encoder.nested(tuple::IP, |encoder| {
            address(encoder, self.source.ip(), ip::V4_SOURCE, ip::V6_SOURCE);
            address(encoder, self.destination.ip(), ip::V4_DESTINATION, ip::V6_DESTINATION);
        });
        encoder.nested(tuple::PROTOCOL, |encoder| {
            encoder.u8(protocol::NUMBER, number);
            let (source, destination) = (self.source.port(), self.destination.port());
            encoder.attribute(protocol::SOURCE_PORT, &source.to_be_bytes());
            encoder.attribute(protocol::DESTINATION_PORT, &destination.to_be_bytes());
        });
    }
}

fn addresses(set: &AttributeSet<'_, 5>) -> Option<(IpAddr, IpAddr)> {
    let v4 = |kind| <[u8; 4]>::try_from(set.get(kind)?).ok().map(Ipv4Addr::from);
    let v6 = |kind| <[u8; 16]>::try_from(set.get(kind)?).ok().map(Ipv6Addr::from);
    match (v4(ip::V4_SOURCE), v4(ip::V4_DESTINATION)) {
        (Some(source), Some(destination)) => Some((source.into(), destination.into())),
        _ => Some((v6(ip::V6_SOURCE)?.into(), v6(ip::V6_DESTINATION)?.into())),
    }
}

fn address(encoder: &mut Encoder, address: IpAddr, v4: u16, v6: u16) {
    match address {
        IpAddr::V4(address) => encoder.attribute(v4, &address.octets()),
        IpAddr::V6(address) => encoder.attribute(v6, &address.octets()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(flow: &Flow) -> Vec<u8> {
        let mut encoder = Encoder::default();
        flow.encode_identity(&mut encoder);
        encoder.nested(flow::REPLY, |encoder| flow.reply.encode(flow.protocol, encoder));
        let confirmed = 1 << 3;
        let answered = if flow.answered { status::SEEN_REPLY } else { 0 };
        encoder.be32(flow::STATUS, confirmed | answered);
        encoder.bytes().to_vec()
    }

    fn sample() -> Flow {
        let address = |text: &str| text.parse().unwrap();
        Flow {
            protocol: 17,
            original: Tuple {
                source: address("10.0.0.1:40000"),
                destination: address("10.96.0.10:53"),
            },
            reply: Tuple {
                source: address("10.0.0.2:5353"),
                destination: address("10.0.0.1:40000"),
            },
            answered: false,
            id: 7,
            zone: 0,
        }
    }

    #[test]
    fn a_flow_is_written_as_the_kernel_reads_it() {
        let mut encoder = Encoder::default();
        Flow { zone: 258, ..sample() }.encode_identity(&mut encoder);
        #[rustfmt::skip]
        let expected = [
            52, 0, 1, 0x80,
                20, 0, 1, 0x80, 8, 0, 1, 0, 10, 0, 0, 1, 8, 0, 2, 0, 10, 96, 0, 10,
                28, 0, 2, 0x80, 5, 0, 1, 0, 17, 0, 0, 0,
                    6, 0, 2, 0, 0x9c, 0x40, 0, 0, 6, 0, 3, 0, 0, 53, 0, 0,
            8, 0, 12, 0, 0, 0, 0, 7,
            6, 0, 18, 0, 1, 2, 0, 0,
        ];
        assert_eq!(encoder.bytes(), expected);
    }

    #[test]
    fn a_zone_of_one_direction_is_found_in_its_tuple() {
        let mut encoder = Encoder::default();
        let flow = sample();
        encoder.nested(flow::ORIGINAL, |encoder| {
            flow.original.encode(flow.protocol, encoder);
            encoder.attribute(tuple::ZONE, &[0, 9]);
        });
        encoder.be32(flow::ID, flow.id);
        encoder.nested(flow::REPLY, |encoder| flow.reply.encode(flow.protocol, encoder));
        assert_eq!(Flow::decode(encoder.bytes()), Some(Flow { zone: 9, ..flow }));
    }

    #[test]
    fn a_flow_without_ports_is_none() {
        let mut encoder = Encoder::default();
        encoder.nested(flow::ORIGINAL, |encoder| {
            encoder.nested(tuple::PROTOCOL, |encoder| encoder.u8(protocol::NUMBER, 1));
        });
        assert_eq!(Flow::decode(encoder.bytes()), None);
    }

    prop_compose! {
        fn tuple()(v4: bool, ips: (u128, u128), ports: (u16, u16)) -> (bool, (u128, u128), (u16, u16)) {
            (v4, ips, ports)
        }
    }

    fn address_of(v4: bool, bits: u128, port: u16) -> SocketAddr {
        let low = u32::try_from(bits & u128::from(u32::MAX)).unwrap_or_default();
        let ip = if v4 { Ipv4Addr::from(low).into() } else { Ipv6Addr::from(bits).into() };
        SocketAddr::new(ip, port)
    }

    proptest! {
        #[test]
        fn any_flow_is_read_as_it_was_written(
            (v4, original, ports) in tuple(),
            (_, reply, reply_ports) in tuple(),
            (protocol, answered, id, zone) in any::<(u8, bool, u32, u16)>(),
        ) {
            let tuple = |ips: (u128, u128), ports: (u16, u16)| Tuple {
                source: address_of(v4, ips.0, ports.0),
                destination: address_of(v4, ips.1, ports.1),
            };
            let flow = Flow {
                protocol,
                original: tuple(original, ports),
                reply: tuple(reply, reply_ports),
                answered,
                id,
                zone,
            };
            prop_assert_eq!(Flow::decode(&encoded(&flow)), Some(flow));
        }

        #[test]
        fn any_bytes_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Flow::decode(&bytes);
        }

        #[test]
        fn a_flow_with_any_bytes_changed_is_read_without_harm(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            length in any::<prop::sample::Index>(),
        ) {
            let mut bytes = encoded(&sample());
            for (index, byte) in changes {
                let place = index.index(bytes.len());
                bytes[place] = byte;
            }
            bytes.truncate(length.index(bytes.len()) + 1);
            let _ = Flow::decode(&bytes);
        }
    }
}
