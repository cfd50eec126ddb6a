//! Addresses and networks as Kubernetes reads them.
//!
//! Kubernetes accepts what older versions of its API let in: leading zeros, which are
//! decimal (`172.30.0.041` is 172.30.0.41), and blanks around the text. An IPv4-mapped
//! IPv6 address (`::ffff:10.0.0.1`) is the IPv4 address, and a network of at least /96
//! within `::ffff:0:0/96` is the IPv4 network. Bits of a network beyond its prefix are
//! cleared.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

/// The prefix length of `::ffff:0:0/96`.
const MAPPED_PREFIX: u8 = 96;

/// Reads an address; `None` if it is none.
pub(super) fn parse_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if text.contains(':') {
        return text.parse::<Ipv6Addr>().ok().map(|address| IpAddr::from(address).to_canonical());
    }
    parse_ipv4(text).map(IpAddr::from)
}

/// Reads a network in CIDR notation; `None` if it is none.
pub(super) fn parse_network(text: &str) -> Option<IpNet> {
    let (address, prefix) = text.trim().split_once('/')?;
    let prefix = u8::try_from(decimal(prefix)?).ok()?;
    let network = if address.contains(':') {
        let address = address.parse::<Ipv6Addr>().ok()?;
        match address.to_ipv4_mapped() {
            Some(ipv4) if prefix >= MAPPED_PREFIX => {
                Ipv4Net::new(ipv4, prefix - MAPPED_PREFIX).ok()?.into()
            }
            _ => IpNet::new(address.into(), prefix).ok()?,
        }
    } else {
        IpNet::new(parse_ipv4(address)?.into(), prefix).ok()?
    };
    Some(network.trunc())
}

/// Why no Service and no endpoint can have this address, if so.
pub(super) fn unusable(address: IpAddr) -> Option<&'static str> {
    if address.is_unspecified() {
        Some("is the unspecified address")
    } else if address.is_multicast() {
        Some("is a multicast address")
    } else if address == IpAddr::V4(Ipv4Addr::BROADCAST) {
        Some("is the broadcast address")
    } else {
        None
    }
}

fn parse_ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        *octet = u8::try_from(decimal(parts.next()?)?).ok()?;
    }
    parts.next().is_none().then(|| octets.into())
}

/// Digits only: the standard parser would also take a sign.
fn decimal(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_kubernetes_reads_them() {
        for (text, expected) in [
            ("10.0.0.1", "10.0.0.1"),
            (" 10.0.0.1\t", "10.0.0.1"),
            ("172.30.0.041", "172.30.0.41"),
            ("1.2.3.004", "1.2.3.4"),
            ("192.168.099.022", "192.168.99.22"),
            ("10.180.00.001", "10.180.0.1"),
            ("0000010.0.0.1", "10.0.0.1"),
            ("fd00:0::1", "fd00::1"),
            ("FD00::A", "fd00::a"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("64:ff9b::10.0.0.1", "64:ff9b::a00:1"),
        ] {
            assert_eq!(parse_address(text), Some(expected.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            " ",
            "None",
            "10.0.0",
            "10.0.0.0.1",
            "10.0.0.256",
            "10.0.0.",
            "10.0.0.+1",
            "10.0.0.0x1",
            "10.0.0.1/32",
            "10.0. 0.1",
            "4294967296.0.0.1",
            "99999999999.0.0.1",
            "fd00::g",
            "fd00::1%eth0",
            "[fd00::1]",
            "fd00:::1",
            "localhost",
            "१०.0.0.1",
        ] {
            assert_eq!(parse_address(text), None, "{text:?}");
        }
    }

    #[test]
    fn networks_are_read_as_kubernetes_reads_them() {
        for (text, expected) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            (" 10.0.0.0/8 ", "10.0.0.0/8"),
            ("203.0.113.000/025", "203.0.113.0/25"),
            ("10.1.2.3/8", "10.0.0.0/8"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("fd00::1/64", "fd00::/64"),
            ("::/0", "::/0"),
            ("::ffff:10.1.2.3/104", "10.0.0.0/8"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
        ] {
            assert_eq!(parse_network(text), Some(expected.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "/",
            "10.0.0.0",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.0/-1",
            "10.0.0.0/8/8",
            "fd00::/129",
            "fd00::/999",
            "10.0.0/8",
            "10.0.0.0/255.0.0.0",
        ] {
            assert_eq!(parse_network(text), None, "{text:?}");
        }
    }

    #[test]
    fn addresses_that_cannot_be_reached_one_to_one_are_unusable() {
        for text in ["0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255"] {
            assert!(unusable(text.parse().unwrap()).is_some(), "{text}");
        }
        for text in ["127.0.0.1", "::1", "169.254.20.10", "fe80::1", "10.255.255.255"] {
            assert_eq!(unusable(text.parse().unwrap()), None, "{text}");
        }
    }
}
