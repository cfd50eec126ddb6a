//! Loopback addresses, and what keeps the network away from them.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use portolan_core::Family;
use portolan_netlink::nftables::{ChainKind, Hook};

use super::Chain;
use crate::statement::Statement;

/// Before connections are tracked (-200), so that what is dropped leaves no trace. No nft has
/// a name here.
const GUARD_PRIORITY: i32 = -290;

/// The loopback addresses of a family.
pub(super) fn loopback(family: Family) -> IpNet {
    match family {
        Family::V4 => IpNet::V4(Ipv4Net::new_assert([127, 0, 0, 0].into(), 8)),
        Family::V6 => IpNet::V6(Ipv6Net::new_assert(std::net::Ipv6Addr::LOCALHOST, 128)),
    }
}

/// While `route_localnet` is 1 the kernel takes packets of the network to and from loopback
/// addresses, which programs trust to be their own node's.
pub(super) fn guard_loopback() -> Chain {
    let net = loopback(Family::V4);
    let from_network =
        || Statement::InputInterface { name: "lo".to_owned(), prefix: false, negated: true };
    let rules = vec![
        vec![from_network(), Statement::Destination { net, negated: false }, Statement::Drop],
        vec![from_network(), Statement::Source { net, negated: false }, Statement::Drop],
    ];
    Chain::base("guard-loopback", ChainKind::Filter, (Hook::Prerouting, GUARD_PRIORITY), rules)
}
