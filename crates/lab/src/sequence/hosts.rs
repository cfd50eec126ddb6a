use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use super::cast::Cast;
use super::data::Packet;
use super::{Cluster, Sequence, SequenceError, Slice};
use crate::{Protocol, Server, TopologySpec};

/// The hosts of sequences that are played one after the other on one node: a sequence in
/// both families, say.
///
/// # Errors
///
/// As for [`Sequence::topology`].
pub fn shared_topology(sequences: &[Sequence]) -> Result<TopologySpec, SequenceError> {
    let mut shared = TopologySpec { node_addresses: Vec::new(), ..TopologySpec::default() };
    let mut pods: Vec<Vec<IpAddr>> = Vec::new();
    for sequence in sequences {
        let spec = sequence.topology()?;
        let new = spec.node_addresses.into_iter();
        let new: Vec<_> = new.filter(|it| !shared.node_addresses.contains(it)).collect();
        shared.node_addresses.extend(new);
        shared.remote_pods.extend(spec.remote_pods);
        shared.clients.extend(spec.clients);
        shared.servers.extend(spec.servers);
        let known: BTreeSet<IpAddr> = pods.iter().flatten().copied().collect();
        let new = spec.pods.into_iter().flatten().filter(|pod| !known.contains(pod));
        // A pod may as well have an address of each family.
        for (number, address) in new.enumerate() {
            match pods.get_mut(number) {
                Some(pod) => pod.push(address),
                None => pods.push(vec![address]),
            }
        }
    }
    shared.pods = pods.into_iter().collect();
    Ok(shared)
}

impl Sequence {
    /// The hosts and servers that all steps take together; addresses of the node's interface
    /// that it does not have from the beginning are for the caller to add and remove.
    ///
    /// Every host answers on every port, whoever it is. Service addresses are those of a pod
    /// on another node: a packet that is let through by mistake is answered, and seen, instead
    /// of being lost in a silence that looks like a drop.
    ///
    /// # Errors
    ///
    /// [`SequenceError`] if the data make no sense.
    pub fn topology(&self) -> Result<TopologySpec, SequenceError> {
        let stages = self.stages()?;
        let Some(cast) = &self.cast else { return Ok(TopologySpec::default()) };
        let first = stages.first().map_or(&[][..], |first| &first.this_node.interface);
        let own: BTreeSet<IpAddr> =
            stages.iter().flat_map(|stage| &stage.this_node.interface).copied().collect();
        let mut spec = TopologySpec {
            node_addresses: first.iter().filter_map(|address| cast.network_of(*address)).collect(),
            ..TopologySpec::default()
        };
        let named = self.named(&stages);
        let present = |list: &[IpAddr]| -> Vec<IpAddr> {
            list.iter().copied().filter(|it| named.contains(it) && !own.contains(it)).collect()
        };
        spec.pods = present(&cast.pods).into_iter().map(|pod| vec![pod]).collect();
        spec.remote_pods = present(&cast.remote_pods).into_iter().collect();
        spec.remote_pods.extend(present(&cast.services));
        spec.clients = present(&cast.clients).into_iter().collect();
        let hosts: Vec<IpAddr> =
            spec.pods.iter().flatten().chain(&spec.remote_pods).copied().collect();
        for (protocol, port) in self.ports(&stages) {
            let hosts = hosts.iter().chain(first.first());
            spec.servers.extend(hosts.map(|host| Server { address: *host, protocol, port }));
        }
        Ok(spec)
    }

    /// The objects after each step, as far as they do not depend on what clients are answered.
    fn stages(&self) -> Result<Vec<Cluster>, SequenceError> {
        let mut play = self.begin();
        play.knows_nobody();
        self.steps.iter().map(|step| self.take(step, &mut play)).collect()
    }

    fn packets(&self) -> impl Iterator<Item = &Packet> {
        self.steps.iter().flat_map(|step| &step.packets)
    }

    fn named(&self, stages: &[Cluster]) -> BTreeSet<IpAddr> {
        let packets = self.packets().flat_map(|packet| [packet.from, packet.to]);
        let asks = self.steps.iter().flat_map(|step| &step.asks);
        let asks = asks.flat_map(|ask| ask.from.iter().copied().chain([ask.to]));
        packets
            .chain(asks)
            .chain(slices(stages).flat_map(|it| it.endpoints.keys().copied()))
            .collect()
    }

    fn ports(&self, stages: &[Cluster]) -> BTreeSet<(Protocol, u16)> {
        let targets = slices(stages).flat_map(|slice| slice.ports.values());
        let targets = targets.map(|target| (target.protocol, target.port));
        let asks = self.steps.iter().flat_map(|step| &step.asks);
        let asks = asks.map(|ask| (ask.protocol, ask.port));
        let packets = self.packets().map(|packet| (packet.protocol, packet.port));
        targets.chain(asks).chain(packets).collect()
    }
}

impl Cast {
    /// An address of the node with its network; a Service's address is in none.
    #[must_use]
    pub fn network_of(&self, address: IpAddr) -> Option<IpNet> {
        let own = self.node.iter().find(|network| network.addr() == address).copied();
        let claimed = self.services.contains(&address).then(|| IpNet::from(address));
        own.or(claimed).filter(|network| !network.addr().is_loopback())
    }
}

fn slices(stages: &[Cluster]) -> impl Iterator<Item = &Slice> {
    stages.iter().flat_map(|stage| stage.slices.values())
}
