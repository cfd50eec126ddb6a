//! Where IPVS sends new connections of one service.

use std::net::IpAddr;

use portolan_lab::Namespace;
use portolan_netlink::NetlinkError;
use portolan_netlink::ipvs::{Ipvs, ServerKey};

use crate::cluster::Frontend;

/// Numbers of protocols (RFC 5237, the registry of IANA).
const TCP: u8 = 6;
const UDP: u8 = 17;

/// IPVS of one namespace.
pub(super) struct Destinations(Ipvs);

impl Destinations {
    pub(super) fn open(namespace: &Namespace) -> Result<Destinations, NetlinkError> {
        Ok(Destinations(namespace.run(Ipvs::open)?))
    }

    /// The pods that get new connections of a frontend; none if there is no such virtual
    /// server. One whose weight is 0 only keeps the connections that it has.
    pub(super) fn pods(&mut self, frontend: &Frontend) -> Result<Vec<IpAddr>, NetlinkError> {
        let protocol = if frontend.udp { UDP } else { TCP };
        let key = ServerKey::Address { protocol, address: frontend.address };
        let destinations = self.0.destinations(&key)?.into_iter().map(|it| it.destination);
        let balanced = destinations.filter(|destination| destination.weight > 0);
        Ok(balanced.map(|destination| destination.address.ip()).collect())
    }
}
