//! Services that one might have expected behind an address and port that none has.

use serde::{Deserialize, Serialize};

use super::{NodeView, Packet};
use crate::backend::NodePortAddresses;
use crate::claim::{Claim, FrontendKey, claims};
use crate::index::Index;
use crate::model::{Family, ObjectName, Protocol, Service};
use crate::problem::Problem;

/// A Service that does not have an address and port, and why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NearMiss {
    /// The Service.
    pub service: ObjectName,
    /// Why not.
    pub why: Near,
}

/// Why a Service does not have an address and port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Near {
    /// It has the address with these ports, host byte order, and not with this one.
    OtherPorts(Vec<(Protocol, u16)>),
    /// It asks for the address and does not get it.
    Refused(Problem),
    /// It is of type `ExternalName`, which is never served.
    ExternalName,
    /// It has the NodePort, but not on this address of the node: these take them.
    NodePortElsewhere(NodePortAddresses),
    /// It will have it once the backend has been given the last changes.
    Pending,
}

/// Services that one might have expected.
pub(super) fn near(index: &Index, node: &NodeView<'_>, packet: &Packet) -> Vec<NearMiss> {
    let Packet { protocol, destination, port, .. } = packet;
    let mut near: Vec<NearMiss> = Vec::new();
    let family = Family::of(*destination);
    if node.has(*destination)
        && let Some(found) = index.planned(&FrontendKey::node_port(family, *protocol, *port))
    {
        let takes = node.node_ports(family).clone();
        let why = Near::NodePortElsewhere(takes);
        near.push(NearMiss { service: found.service.name.clone(), why });
    }
    near.extend(index.naming(*destination).flat_map(|service| {
        let near = why_not(index, service, packet).into_iter();
        near.map(|why| NearMiss { service: service.name.clone(), why })
    }));
    near
}

fn why_not(index: &Index, service: &Service, packet: &Packet) -> Vec<Near> {
    let asked = claims(service);
    let of_address = |it: &Problem| it.reason.starts_with(&format!("{} ", packet.destination));
    let refused = index.problems_of(&service.name).iter().filter(|it| of_address(it));
    let mut why: Vec<Near> = refused.cloned().map(Near::Refused).collect();
    let claims = asked.claims.iter();
    let here = claims.filter(|it| it.destination.address() == Some(packet.destination));
    let (owned, lost): (Vec<&Claim>, Vec<&Claim>) =
        here.partition(|claim| index.owns(&service.name, claim));
    let ports: Vec<(Protocol, u16)> = owned.iter().map(|it| (it.protocol, it.port)).collect();
    if ports.contains(&(packet.protocol, packet.port)) {
        why.push(Near::Pending);
    } else if !ports.is_empty() {
        why.push(Near::OtherPorts(ports));
    } else if why.is_empty() && lost.is_empty() {
        why.push(Near::ExternalName);
    }
    why
}
