//! Clients that session affinity keeps on an endpoint: for how long, and until what.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use portolan_core::{ObjectName, Protocol};

use crate::cluster::Cluster;
use crate::model::{Prediction, Verdict, predict};
use crate::packet::Packet;
use crate::play::Observed;

/// Who has to be answered by whom.
#[derive(Default)]
pub(crate) struct Clients {
    kept: BTreeMap<Packet, Kept>,
    /// Clients that the kernel may remember something of, from this cluster or others: with
    /// protocol and port, as NodePorts are remembered without the node's address.
    met: BTreeSet<(IpAddr, Protocol, u16)>,
}

/// A client that has its endpoint.
struct Kept {
    endpoint: SocketAddr,
    service: Option<ObjectName>,
    home: Option<SocketAddr>,
    because: &'static str,
}

impl Clients {
    /// Another cluster: nobody is kept, but the kernel's memory is as it was.
    pub(crate) fn move_on(&mut self) {
        self.kept.clear();
    }

    /// Forgets, after a change of the cluster, those whose endpoint went, and those that are
    /// served in another way than before. All others must stay where they are.
    pub(crate) fn forget(&mut self, cluster: &Cluster) {
        self.kept.retain(|packet, kept| kept.outlasts(&predict(cluster, packet)));
    }

    /// The packets of clients that are kept.
    pub(crate) fn packets(&self) -> Vec<Packet> {
        self.kept.keys().copied().collect()
    }

    /// Remembers who answered; returns what is wrong with it.
    ///
    /// A client that is kept is answered by its endpoint, and one that was never seen by the
    /// same endpoint each time. One that was kept by an endpoint that went may find out by
    /// its first connection, which goes anywhere.
    pub(crate) fn meet(&mut self, observed: &Observed) -> Option<String> {
        let (packet, answers) = (observed.packet, observed.answers());
        let is_new = self.met.insert((packet.source, packet.protocol, packet.destination.port()));
        let last = answers.last().copied()?;
        let Prediction { service, home, because, .. } = &observed.prediction;
        let now = Kept { endpoint: last, service: service.clone(), home: *home, because };
        let before = self.kept.insert(packet, now).map(|kept| kept.endpoint);
        let settled = if is_new || before.is_some() { 0 } else { 1 };
        let expected = before.unwrap_or(last);
        let wrong = answers.iter().skip(settled).any(|answer| *answer != expected);
        let known =
            before.map_or("was not kept before".to_owned(), |it| format!("was kept by {it}"));
        wrong.then(|| format!("one client, which {known}, was answered by {answers:?} in turn"))
    }
}

impl Kept {
    /// A Service that gets another ClusterIP, or loses it to an older one, is as good as new.
    fn outlasts(&self, prediction: &Prediction) -> bool {
        let Verdict::Balanced { endpoints, sticky: true } = &prediction.verdict else {
            return false;
        };
        endpoints.contains_key(&self.endpoint)
            && self.service == prediction.service
            && self.because == prediction.because
            && self.home.is_some()
            && self.home == prediction.home
    }
}
