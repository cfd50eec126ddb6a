//! Ports of the node's own addresses that Services have left.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use portolan_core::{Family, Protocol};

use crate::model::{Prediction, Verdict};
use crate::packet::Packet;
use crate::play::Observed;
use crate::world::Addresses;

/// The ports of the node on which clients were once served.
#[derive(Default)]
pub(crate) struct PortsLeft {
    served: BTreeSet<(Protocol, SocketAddr)>,
}

impl PortsLeft {
    /// Remembers who was served where.
    pub(crate) fn note(&mut self, observed: &Observed) {
        let Packet { protocol, destination, .. } = observed.packet;
        let own = Addresses::of(Family::of(destination.ip())).node;
        if own.contains(&destination.ip())
            && matches!(observed.prediction.verdict, Verdict::Balanced { .. })
        {
            self.served.insert((protocol, destination));
        }
    }

    /// Whether a port that no Service has any more may still be waiting for connections.
    pub(crate) fn concern(&self, packet: &Packet, prediction: &Prediction) -> bool {
        prediction.verdict == Verdict::Untouched
            && self.served.contains(&(packet.protocol, packet.destination))
    }

    /// What must become of a packet to such a port.
    pub(crate) fn prediction(before: Prediction) -> Prediction {
        let because = "the node's own address, and a port that a Service has left";
        Prediction { verdict: Verdict::Left, because, ..before }
    }
}
