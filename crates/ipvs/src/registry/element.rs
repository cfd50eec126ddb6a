//! Virtual servers as elements of a set.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use portolan_netlink::ipvs::ServerKey;
use portolan_netlink::nftables::{Family, Field, Set};

/// The name of the set.
pub(super) const SET: &str = "virtual-servers";
/// What the set has room for. Kernels of old allocate all of it at once.
const SIZE: u32 = 1 << 18;

/// A key and its comment.
pub(super) type Element = (Vec<u8>, Option<String>);

/// The set that has them.
pub(super) fn set(family: Family) -> Set {
    let address = match family {
        Family::Ip6 => Field::Ipv6Address,
        Family::Ip => Field::Ipv4Address,
    };
    Set {
        name: SET.to_owned(),
        key: vec![address, Field::Protocol, Field::Port],
        size: Some(SIZE),
        ..Set::default()
    }
}

/// Whether a set is declared as ours is. It may be larger.
pub(super) fn is_declared(family: Family, found: &Set) -> bool {
    found.size.is_some_and(|size| size >= SIZE) && found.is_declared_as(&set(family))
}

/// Whether each element of a set is one server, if it can be decoded.
pub(super) fn has_servers(family: Family, found: &Set) -> bool {
    found.key == set(family).key && !found.interval
}

/// Address, protocol and port, each padded to 4 bytes; and whether it is IPv6.
pub(super) fn encode(key: &ServerKey) -> Option<(bool, Vec<u8>)> {
    let ServerKey::Address { protocol, address } = key else { return None };
    let mut bytes = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let [high, low] = address.port().to_be_bytes();
    bytes.extend([*protocol, 0, 0, 0, high, low, 0, 0]);
    Some((address.is_ipv6(), bytes))
}

/// The virtual server that an element says.
pub(super) fn decode(family: Family, bytes: &[u8]) -> Option<ServerKey> {
    let (ip, rest): (IpAddr, &[u8]) = match family {
        Family::Ip6 => {
            let (ip, rest) = bytes.split_first_chunk::<16>()?;
            (Ipv6Addr::from(*ip).into(), rest)
        }
        Family::Ip => {
            let (ip, rest) = bytes.split_first_chunk::<4>()?;
            (Ipv4Addr::from(*ip).into(), rest)
        }
    };
    let &[protocol, _, _, _, high, low, _, _] = rest else { return None };
    let address = SocketAddr::new(ip, u16::from_be_bytes([high, low]));
    Some(ServerKey::Address { protocol, address })
}
