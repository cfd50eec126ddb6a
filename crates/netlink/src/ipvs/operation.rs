//! Changes to IPVS, one request each.

use std::fmt;
use std::net::SocketAddr;

use super::destination::{Destination, encode_key};
use super::server::{Server, ServerKey};
use super::uapi::{command, top};
use crate::wire::encoder::Encoder;

/// One change. There are no transactions: each takes effect by itself, in the order in
/// which they are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A virtual server is added. One that exists is refused (`EEXIST`).
    AddServer(Server),
    /// The scheduler, flags or persistence of a virtual server change. Connections stay.
    ChangeServer(Server),
    /// A virtual server is deleted, with its destinations. Its connections stall: their
    /// packets find nobody who would forward them.
    DeleteServer(ServerKey),
    /// A destination is added. One that exists is refused (`EEXIST`).
    AddDestination(ServerKey, Destination),
    /// The weight of a destination changes. Connections stay.
    ChangeDestination(ServerKey, Destination),
    /// A destination is deleted. Its connections end as `net.ipv4.vs.expire_nodest_conn`
    /// says.
    DeleteDestination(ServerKey, SocketAddr),
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::AddServer(server) => {
                write!(f, "add virtual server {} with scheduler {}", server.key, server.scheduler)
            }
            Operation::ChangeServer(server) => {
                write!(f, "change virtual server {} to scheduler {}", server.key, server.scheduler)
            }
            Operation::DeleteServer(key) => write!(f, "delete virtual server {key}"),
            Operation::AddDestination(key, destination) => {
                write!(f, "add destination {} to virtual server {key}", destination.address)
            }
            Operation::ChangeDestination(key, Destination { address, weight }) => {
                write!(f, "change destination {address} of virtual server {key} to weight {weight}")
            }
            Operation::DeleteDestination(key, address) => {
                write!(f, "delete destination {address} from virtual server {key}")
            }
        }
    }
}

impl Operation {
    pub(super) const fn command(&self) -> u8 {
        match self {
            Operation::AddServer(_) => command::NEW_SERVICE,
            Operation::ChangeServer(_) => command::SET_SERVICE,
            Operation::DeleteServer(_) => command::DELETE_SERVICE,
            Operation::AddDestination(..) => command::NEW_DESTINATION,
            Operation::ChangeDestination(..) => command::SET_DESTINATION,
            Operation::DeleteDestination(..) => command::DELETE_DESTINATION,
        }
    }

    /// Writes the attributes of the request.
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        match self {
            Operation::AddServer(server) | Operation::ChangeServer(server) => {
                encoder.nested(top::SERVICE, |encoder| server.encode(encoder));
            }
            Operation::DeleteServer(key) => key_of(key, encoder),
            Operation::AddDestination(key, destination)
            | Operation::ChangeDestination(key, destination) => {
                key_of(key, encoder);
                encoder.nested(top::DESTINATION, |encoder| destination.encode(encoder));
            }
            Operation::DeleteDestination(key, address) => {
                key_of(key, encoder);
                encoder.nested(top::DESTINATION, |encoder| encode_key(*address, encoder));
            }
        }
    }
}

/// The virtual server that a request is about.
pub(super) fn key_of(key: &ServerKey, encoder: &mut Encoder) {
    encoder.nested(top::SERVICE, |encoder| key.encode(encoder));
}
