//! Which addresses of this node take NodePorts.

use std::io;
use std::net::IpAddr;

use portolan_core::Family;
use portolan_core::backend::NodePortAddresses;

use crate::config::NodePortSelection;

/// The addresses of one family that take NodePorts.
///
/// * `primary`: those that the Node object names. A family that it does not name gets
///   none; kube-proxy would serve NodePorts on every address of that family.
/// * Networks: the addresses of this machine's interfaces inside them. A family without
///   a network, or with one of length zero, takes every address.
///
/// Loopback addresses never take NodePorts.
pub(crate) fn resolve(
    selection: &NodePortSelection,
    family: Family,
    node: &[IpAddr],
    interfaces: &[IpAddr],
) -> NodePortAddresses {
    let networks = match selection {
        NodePortSelection::Primary => return listed(node, |address| Family::of(address) == family),
        NodePortSelection::Networks(networks) => networks,
    };
    let of_family: Vec<_> =
        networks.iter().filter(|network| Family::of_net(network) == family).collect();
    if of_family.is_empty() || of_family.iter().any(|network| network.prefix_len() == 0) {
        return NodePortAddresses::Any;
    }
    listed(interfaces, |address| of_family.iter().any(|network| network.contains(&address)))
}

/// Whether interface addresses matter at all; `each` if every address is to be known even
/// where all take NodePorts.
pub(crate) fn needs_interfaces(selection: &NodePortSelection, each: bool) -> bool {
    match selection {
        NodePortSelection::Primary => false,
        NodePortSelection::Networks(networks) => {
            each || networks.iter().any(|network| network.prefix_len() > 0)
        }
    }
}

/// Every address of a family that clients may use: not those that mean something on one
/// link only.
pub(crate) fn all(family: Family, interfaces: &[IpAddr]) -> NodePortAddresses {
    listed(interfaces, |address| Family::of(address) == family && !is_link_local(address))
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// The addresses of all interfaces of this network namespace.
pub(crate) fn interface_addresses() -> io::Result<Vec<IpAddr>> {
    let interfaces = nix::ifaddrs::getifaddrs()?;
    Ok(interfaces
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
        })
        .collect())
}

fn listed(addresses: &[IpAddr], wanted: impl Fn(IpAddr) -> bool) -> NodePortAddresses {
    let mut addresses: Vec<IpAddr> = addresses
        .iter()
        .copied()
        .filter(|address| !address.is_loopback() && wanted(*address))
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    NodePortAddresses::Listed(addresses)
}

#[cfg(test)]
mod tests {
    use super::NodePortAddresses::{Any, Listed};
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn networks(texts: &[&str]) -> NodePortSelection {
        NodePortSelection::Networks(texts.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn some(texts: &[&str]) -> NodePortAddresses {
        Listed(addresses(texts))
    }

    #[test]
    fn networks_choose_among_the_addresses_of_the_interfaces() {
        let cases = [
            (
                &["10.20.30.0/24"][..],
                &["10.20.30.51", "100.200.201.1"][..],
                some(&["10.20.30.51"]),
                Any,
            ),
            (&["0.0.0.0/0"], &["10.20.30.51", "127.0.0.1"], Any, Any),
            (&["2001:db8::/64", "::1/128"], &["2001:db8::1", "::1"], Any, some(&["2001:db8::1"])),
            (&["::/0"], &["2001:db8::1", "::1"], Any, Any),
            (&["127.0.0.1/32"], &["10.20.30.51", "127.0.0.1"], some(&[]), Any),
            (&["127.0.0.0/8"], &["127.0.1.1"], some(&[]), Any),
            (
                &["10.20.30.0/24", "100.200.201.0/24"],
                &["100.200.201.1", "10.20.30.51", "10.20.30.51"],
                some(&["10.20.30.51", "100.200.201.1"]),
                Any,
            ),
            (&["10.20.30.0/24", "100.200.201.0/24"], &["192.168.1.2", "127.0.0.1"], some(&[]), Any),
            (&[], &["192.168.1.2", "127.0.0.1"], Any, Any),
            (&[], &["2001:db8::1", "::1"], Any, Any),
            (&["1.2.3.0/24", "0.0.0.0/0"], &["1.2.3.4"], Any, Any),
            (
                &["0.0.0.0/0", "1.2.3.0/24", "2001:db8::1/128"],
                &["1.2.3.4", "2001:db8::1"],
                Any,
                some(&["2001:db8::1"]),
            ),
            (
                &["::/0", "1.2.3.0/24", "2001:db8::1/128"],
                &["1.2.3.4", "2001:db8::1"],
                some(&["1.2.3.4"]),
                Any,
            ),
        ];
        for (cidrs, interfaces, v4, v6) in cases {
            let found = Family::BOTH
                .map(|family| resolve(&networks(cidrs), family, &[], &addresses(interfaces)));
            assert_eq!(found, [v4, v6], "{cidrs:?} {interfaces:?}");
        }
    }

    #[test]
    fn primary_takes_the_addresses_of_the_node_and_none_of_a_family_it_lacks() {
        let cases = [
            (&["192.0.2.1", "2001:db8::1"][..], some(&["192.0.2.1"]), some(&["2001:db8::1"])),
            (&["192.0.2.1"], some(&["192.0.2.1"]), some(&[])),
            (&["2001:db8::1"], some(&[]), some(&["2001:db8::1"])),
            (&["127.0.0.1", "::1"], some(&[]), some(&[])),
            (&[], some(&[]), some(&[])),
        ];
        let interfaces = addresses(&["10.0.0.1", "fd00::1"]);
        for (node, v4, v6) in cases {
            let found = Family::BOTH.map(|family| {
                resolve(&NodePortSelection::Primary, family, &addresses(node), &interfaces)
            });
            assert_eq!(found, [v4, v6], "{node:?}");
        }
    }

    #[test]
    fn interfaces_are_read_only_where_a_network_selects_among_them() {
        for each in [false, true] {
            assert!(!needs_interfaces(&NodePortSelection::Primary, each));
            assert_eq!(needs_interfaces(&networks(&["0.0.0.0/0", "::/0"]), each), each);
            assert!(needs_interfaces(&networks(&["0.0.0.0/0", "fd00::/8"]), each));
        }
    }

    #[test]
    fn where_each_address_is_needed_those_of_one_link_are_left_out() {
        let interfaces =
            addresses(&["127.0.0.1", "10.0.0.1", "169.254.1.1", "::1", "fe80::1", "fd00::1"]);
        assert_eq!(all(Family::V4, &interfaces), some(&["10.0.0.1"]));
        assert_eq!(all(Family::V6, &interfaces), some(&["fd00::1"]));
    }

    #[test]
    fn this_machine_has_interface_addresses_that_can_be_read() {
        assert!(interface_addresses().is_ok());
    }
}
