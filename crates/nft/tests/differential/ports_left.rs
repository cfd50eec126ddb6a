//! Addresses and ports that Services have left, where virtual servers may still wait for
//! connections. Such a server sees what is delivered on the node, and what the node sends.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use portolan_core::Protocol;

use crate::model::{Prediction, Verdict};
use crate::packet::{Origin, Packet};
use crate::play::Observed;
use crate::world::Addresses;

/// Where clients were once served.
#[derive(Default)]
pub(crate) struct PortsLeft {
    served: BTreeSet<(Protocol, SocketAddr)>,
}

impl PortsLeft {
    /// Remembers who was served where.
    pub(crate) fn note(&mut self, observed: &Observed) {
        let Packet { protocol, destination, .. } = observed.packet;
        if matches!(observed.prediction.verdict, Verdict::Balanced { .. }) {
            self.served.insert((protocol, destination));
        }
    }

    /// Whether a packet for what no Service has any more may still meet a virtual server.
    pub(crate) fn concern(&self, packet: &Packet, prediction: &Prediction) -> bool {
        let own = Addresses::of(packet.family()).node;
        let is_seen = packet.origin() == Origin::Node || own.contains(&packet.destination.ip());
        is_seen
            && prediction.verdict == Verdict::Untouched
            && self.served.contains(&(packet.protocol, packet.destination))
    }

    /// What must become of such a packet.
    pub(crate) fn prediction(before: Prediction) -> Prediction {
        let because = "an address and port that a Service has left";
        Prediction { verdict: Verdict::Left, because, ..before }
    }
}
