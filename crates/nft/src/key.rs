//! Keys of our sets and maps, as the kernel stores them.
//!
//! Each field of a concatenation starts on a 4-byte boundary and is padded with zeroes.
//! Addresses and ports are in network byte order, the slot in host byte order, because
//! `numgen` writes it so.

use std::net::IpAddr;

use portolan_core::{EndpointAddress, Protocol};

/// The longest key: two IPv6 addresses, a protocol and a port.
const CAPACITY: usize = 40;

/// A key of up to 40 bytes, without allocation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    length: u8,
    bytes: [u8; CAPACITY],
}

impl Key {
    const EMPTY: Key = Key { length: 0, bytes: [0; CAPACITY] };

    /// The key of an address set.
    pub(crate) fn address(ip: IpAddr) -> Key {
        Key::EMPTY.with_address(ip)
    }

    /// The key of the hairpin set.
    pub(crate) fn pair(ip: IpAddr) -> Key {
        Key::EMPTY.with_address(ip).with_address(ip)
    }

    /// The key of a frontend: with an address, or without for a NodePort.
    pub(crate) fn frontend(address: Option<IpAddr>, protocol: Protocol, port: u16) -> Key {
        let key = address.map_or(Key::EMPTY, Key::address);
        let [high, low] = port.to_be_bytes();
        key.with([protocol.number(), 0, 0, 0]).with([high, low, 0, 0])
    }

    /// The key of a frontend's slot.
    pub(crate) fn with_slot(self, slot: u32) -> Key {
        self.with(slot.to_ne_bytes())
    }

    /// The frontend and the slot of a key with a slot; `None` if it is too short for one.
    pub(crate) fn split_slot(self) -> Option<(Key, u32)> {
        let (frontend, slot) = self.as_bytes().split_last_chunk()?;
        Some((Key::from_kernel(frontend)?, u32::from_ne_bytes(*slot)))
    }

    /// The first or last key of a frontend's clients.
    pub(crate) fn with_client(self, client: IpAddr) -> Key {
        self.with_address(client)
    }

    /// The frontend and the client of a key with a client.
    pub(crate) fn split_client(self) -> (Key, Option<IpAddr>) {
        let bytes = self.as_bytes();
        let length = if bytes.len() > 16 { 16 } else { 4 };
        let (frontend, client) = bytes.split_at(bytes.len().saturating_sub(length));
        (Key::from_kernel(frontend).unwrap_or(Key::EMPTY), parse_address(client))
    }

    /// A key of the kernel's; `None` if it is longer than any of ours.
    pub(crate) fn from_kernel(bytes: &[u8]) -> Option<Key> {
        let mut key = Key::EMPTY;
        key.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        key.length = u8::try_from(bytes.len()).ok()?;
        Some(key)
    }

    /// The bytes, as the kernel has them.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&self.bytes)
    }

    /// The fields of a frontend's key, with or without a slot.
    pub(crate) fn parse_frontend(&self, by_address: bool) -> Option<FrontendKey> {
        let bytes = self.as_bytes();
        let (address, rest) = if by_address {
            let length = if bytes.len() >= 24 { 16 } else { 4 };
            let (address, rest) = bytes.split_at_checked(length)?;
            (Some(parse_address(address)?), rest)
        } else {
            (None, bytes)
        };
        let (head, slot) = rest.split_at_checked(8)?;
        let [protocol, _, _, _, high, low, ..] = *head else { return None };
        let slot = match slot {
            [] => None,
            slot => Some(u32::from_ne_bytes(slot.try_into().ok()?)),
        };
        let protocol = Protocol::from_number(protocol)?;
        Some(FrontendKey { address, protocol, port: u16::from_be_bytes([high, low]), slot })
    }

    fn with_address(self, ip: IpAddr) -> Key {
        match ip {
            IpAddr::V4(ip) => self.with(ip.octets()),
            IpAddr::V6(ip) => self.with(ip.octets()),
        }
    }

    fn with<const N: usize>(mut self, field: [u8; N]) -> Key {
        let start = usize::from(self.length);
        if let Some(room) = self.bytes.get_mut(start..start + N) {
            room.copy_from_slice(&field);
            self.length = u8::try_from(start + N).unwrap_or(self.length);
        }
        self
    }
}

impl AsRef<[u8]> for Key {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The fields of a frontend's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrontendKey {
    /// The destination address; `None` for a NodePort.
    pub(crate) address: Option<IpAddr>,
    /// The protocol.
    pub(crate) protocol: Protocol,
    /// The port, host byte order.
    pub(crate) port: u16,
    /// The slot, in maps of endpoints.
    pub(crate) slot: Option<u32>,
}

/// An endpoint as a value of a map: address and port, each padded to 4 bytes.
pub(crate) fn endpoint_to_kernel(endpoint: EndpointAddress) -> Key {
    let [high, low] = endpoint.port.to_be_bytes();
    Key::address(endpoint.ip).with([high, low, 0, 0])
}

/// The endpoint of a value that the kernel holds.
pub(crate) fn endpoint_from_kernel(bytes: &[u8]) -> Option<EndpointAddress> {
    let (address, port) = bytes.split_at_checked(bytes.len().checked_sub(4)?)?;
    let [high, low, ..] = *port else { return None };
    Some(EndpointAddress { ip: parse_address(address)?, port: u16::from_be_bytes([high, low]) })
}

/// The address of a key of an address set.
pub(crate) fn parse_address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
        Some(IpAddr::from(octets))
    } else {
        <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frontend_key_is_laid_out_as_nft_does() {
        let ip = "172.30.0.41".parse().unwrap();
        let key = Key::frontend(Some(ip), Protocol::Tcp, 80).with_slot(1);
        assert_eq!(
            key.as_bytes(),
            [172, 30, 0, 41, 6, 0, 0, 0, 0, 80, 0, 0, 1, 0, 0, 0],
            "see `nft --debug=netlink`; the slot is in host byte order (little-endian here)"
        );
    }

    #[test]
    fn keys_and_endpoints_survive_the_way_through_the_kernel() {
        for ip in ["10.0.0.1", "fd00::1"] {
            let ip: IpAddr = ip.parse().unwrap();
            for protocol in Protocol::ALL {
                for address in [Some(ip), None] {
                    let key = Key::frontend(address, protocol, 65_535);
                    let parsed = Key::from_kernel(key.as_bytes()).unwrap();
                    let expected = FrontendKey { address, protocol, port: 65_535, slot: None };
                    assert_eq!(parsed.parse_frontend(address.is_some()), Some(expected));
                    let slotted = key.with_slot(70_000).parse_frontend(address.is_some());
                    assert_eq!(slotted, Some(FrontendKey { slot: Some(70_000), ..expected }));
                }
            }
            let endpoint = EndpointAddress { ip, port: 8080 };
            let bytes = endpoint_to_kernel(endpoint);
            assert_eq!(endpoint_from_kernel(bytes.as_bytes()), Some(endpoint));
        }
    }

    #[test]
    fn hostile_lengths_are_no_keys() {
        for length in 0..64 {
            let bytes = vec![0xff; length];
            if let Some(key) = Key::from_kernel(&bytes) {
                assert_eq!(key.as_bytes(), bytes);
                key.parse_frontend(true);
                key.parse_frontend(false);
            } else {
                assert!(length > CAPACITY);
            }
            endpoint_from_kernel(&bytes);
        }
    }
}
