//! Virtual servers: what clients connect to.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::address::{decode_address, encode_address, encode_port, family_number};
use super::uapi::{HASHED, PERSISTENT, family, service};
use crate::wire::attribute::AttributeSet;
use crate::wire::encoder::Encoder;

/// What tells one virtual server from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServerKey {
    /// Packets to this address and port.
    Address {
        /// The IP protocol number: TCP, UDP or SCTP.
        protocol: u8,
        /// Address and port, host byte order.
        address: SocketAddr,
    },
    /// Packets that carry this mark, whatever their destination.
    Mark {
        /// The whole packet mark, not zero.
        mark: u32,
        /// Whether the packets are IPv6.
        v6: bool,
    },
}

impl fmt::Display for ServerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServerKey::Address { protocol: 6, address } => write!(f, "TCP {address}"),
            ServerKey::Address { protocol: 17, address } => write!(f, "UDP {address}"),
            ServerKey::Address { protocol: 132, address } => write!(f, "SCTP {address}"),
            ServerKey::Address { protocol, address } => write!(f, "protocol {protocol} {address}"),
            ServerKey::Mark { mark, v6: false } => write!(f, "mark {mark:#x} of IPv4"),
            ServerKey::Mark { mark, v6: true } => write!(f, "mark {mark:#x} of IPv6"),
        }
    }
}

/// A virtual server, as it is wanted or as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Server {
    /// What it serves.
    pub key: ServerKey,
    /// The name of the scheduler that picks a destination for a new connection, e.g. `rr`;
    /// `none` if there is none.
    pub scheduler: String,
    /// The scheduler's own flags, and one-packet scheduling (`IP_VS_SVC_F_…` of
    /// `linux/ip_vs.h`), less what the next field says and what the kernel sets itself.
    pub flags: u32,
    /// A client keeps its destination for so many seconds after its last connection.
    pub persistence: Option<u32>,
}

impl ServerKey {
    /// The address that clients connect to; `None` for a server of marked packets.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            ServerKey::Address { address, .. } => Some(address.ip()),
            ServerKey::Mark { .. } => None,
        }
    }

    fn is_v6(&self) -> bool {
        match self {
            ServerKey::Address { address, .. } => address.is_ipv6(),
            ServerKey::Mark { v6, .. } => *v6,
        }
    }

    /// Writes the attributes that identify a server.
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        let number = family_number(self.is_v6());
        encoder.attribute(service::FAMILY, &number.to_ne_bytes());
        match self {
            ServerKey::Address { protocol, address } => {
                encoder.attribute(service::PROTOCOL, &u16::from(*protocol).to_ne_bytes());
                encode_address(encoder, service::ADDRESS, address.ip());
                encode_port(encoder, service::PORT, address.port());
            }
            ServerKey::Mark { mark, .. } => {
                encoder.attribute(service::FIREWALL_MARK, &mark.to_ne_bytes());
            }
        }
    }

    fn decode(set: &AttributeSet<'_, 12>) -> Option<ServerKey> {
        let number = set.ne16(service::FAMILY)?;
        match set.ne32(service::FIREWALL_MARK) {
            Some(mark) if mark != 0 => Some(ServerKey::Mark { mark, v6: number == family::V6 }),
            _ => {
                let ip = decode_address(set.get(service::ADDRESS)?, number)?;
                let port = set.be16(service::PORT)?;
                Some(ServerKey::Address {
                    protocol: u8::try_from(set.ne16(service::PROTOCOL)?).ok()?,
                    address: SocketAddr::new(ip, port),
                })
            }
        }
    }
}

impl Server {
    /// Writes all attributes.
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        self.key.encode(encoder);
        encoder.text(service::SCHEDULER, &self.scheduler);
        let persistent = if self.persistence.is_some() { PERSISTENT } else { 0 };
        let flags = self.flags & !(PERSISTENT | HASHED) | persistent;
        // Flags outside of the mask would stay as they are.
        let mut with_mask = [0; 8];
        let (value, mask) = with_mask.split_at_mut(4);
        value.copy_from_slice(&flags.to_ne_bytes());
        mask.copy_from_slice(&u32::MAX.to_ne_bytes());
        encoder.attribute(service::FLAGS, &with_mask);
        let seconds = self.persistence.unwrap_or_default();
        encoder.attribute(service::TIMEOUT, &seconds.to_ne_bytes());
        // Each client by itself.
        let netmask = if self.key.is_v6() { 128 } else { u32::MAX };
        encoder.attribute(service::NETMASK, &netmask.to_ne_bytes());
    }

    /// Reads the attributes of a server. `None` if they are none.
    pub(super) fn decode(bytes: &[u8]) -> Option<Server> {
        let set = AttributeSet::<12>::parse(bytes)?;
        let flags = set.get(service::FLAGS)?.first_chunk().map(|it| u32::from_ne_bytes(*it))?;
        let persistence = match flags & PERSISTENT {
            0 => None,
            _ => Some(set.ne32(service::TIMEOUT)?),
        };
        Some(Server {
            key: ServerKey::decode(&set)?,
            scheduler: set.text(service::SCHEDULER).unwrap_or_default().into_owned(),
            flags: flags & !(PERSISTENT | HASHED),
            persistence,
        })
    }
}
