//! Which rule a packet meets.

use std::net::IpAddr;

use super::choice::Objects;
use super::client::{Client, Sender};
use super::decide::{Way, inside};
use super::near::near;
use super::outcome::{DropReason, Outcome, RejectReason, Verdict};
use super::{Explanation, Found, FoundFrontend, NodeView, Packet};
use crate::claim::FrontendKey;
use crate::index::{Index, Planned};
use crate::model::{Family, Protocol};
use crate::plan::{Action, Destination, Masquerade, Pool, Traffic};

/// Explains a packet.
pub(super) fn explain(index: &Index, node: &NodeView<'_>, packet: &Packet) -> Explanation {
    let Packet { client, protocol, destination, port } = packet;
    let family = Family::of(*destination);
    let to = To { family, protocol: *protocol, destination: Some(*destination), port: *port };
    if let Some(planned) = planned(index, node, packet) {
        return explain_frontend(index, node, client, to, planned);
    }
    let found = unclaimed(index, node, *destination);
    let outcomes = to.way(node, client).unserved(&found);
    let near = near(index, node, packet);
    to.explanation(node, client, found, outcomes, near)
}

/// Where a packet goes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct To {
    pub(super) family: Family,
    pub(super) protocol: Protocol,
    /// `None`: any address that takes NodePorts.
    pub(super) destination: Option<IpAddr>,
    pub(super) port: u16,
}

impl To {
    fn way<'a>(self, node: &'a NodeView<'a>, client: &'a Client) -> Way<'a> {
        let To { family, protocol, destination, .. } = self;
        let sender = Sender::new(node, client, family);
        Way { node, sender, family, protocol, destination }
    }

    fn explanation(
        self,
        node: &NodeView<'_>,
        client: &Client,
        found: Found,
        outcomes: Vec<Outcome>,
        near: Vec<super::NearMiss>,
    ) -> Explanation {
        Explanation {
            client: client.clone(),
            protocol: self.protocol,
            family: self.family,
            destination: self.destination,
            port: self.port,
            local_pods: node.local_pods(self.family).clone(),
            found,
            near,
            outcomes,
        }
    }
}

/// Explains a packet for a frontend that is known.
pub(super) fn explain_frontend(
    index: &Index,
    node: &NodeView<'_>,
    client: &Client,
    to: To,
    planned: Planned<'_>,
) -> Explanation {
    let outcomes = to.way(node, client).served(planned);
    let found = Found::Frontend(Box::new(found(index, node, planned, &outcomes)));
    to.explanation(node, client, found, outcomes, Vec::new())
}

/// The frontend that a packet meets, in the order of the rules: on IPv4 loopback NodePorts
/// come first, but no Service can have such an address anyway.
fn planned<'a>(index: &'a Index, node: &NodeView<'_>, packet: &Packet) -> Option<Planned<'a>> {
    let Packet { client, protocol, destination, port } = packet;
    let on_address = FrontendKey::on_address(*destination, *protocol, *port);
    let family = Family::of(*destination);
    let node_port = || index.planned(&FrontendKey::node_port(family, *protocol, *port));
    index.planned(&on_address).or_else(|| {
        let to = To { family, protocol: *protocol, destination: Some(*destination), port: *port };
        if to.way(node, client).is_relayed() {
            // Otherwise nobody listens there on behalf of the Service.
            return node_port().filter(|it| matches!(inside(*it), Action::Balance(_)));
        }
        if node.takes_node_ports(*destination) { node_port() } else { None }
    })
}

/// What an address is that no Service has with this port.
fn unclaimed(index: &Index, node: &NodeView<'_>, destination: IpAddr) -> Found {
    if node.has(destination) {
        return Found::ThisNode;
    }
    let services = index.with_cluster_ip(destination);
    if !services.is_empty() {
        return Found::UnknownPort(services);
    }
    let mut networks = node.environment.service_cidrs.iter();
    // One of everything would drop all traffic of the node; it is not programmed.
    match networks.find(|it| it.prefix_len() > 0 && it.contains(&destination)) {
        Some(network) => Found::ServiceCidr(*network),
        None => Found::Nobody,
    }
}

fn found(
    index: &Index,
    node: &NodeView<'_>,
    planned: Planned<'_>,
    outcomes: &[Outcome],
) -> FoundFrontend {
    let Planned { service, port, frontend } = planned;
    let name = &service.name;
    let destination = frontend.destination;
    let objects = Objects {
        service: index.service(name),
        slices: index.slices(name),
        node_name: index.node_name(),
        zone: index.zone(),
    };
    let key = match destination.address() {
        Some(address) => FrontendKey::on_address(address, port.protocol, frontend.port),
        None => FrontendKey::node_port(port.family, port.protocol, frontend.port),
    };
    let lost = index.lost_claims(&key).into_iter().filter(|it| it.object != *name);
    let is_balancer = matches!(destination, Destination::LoadBalancerIp(_));
    let is_node_port = destination == Destination::NodePort;
    FoundFrontend {
        service: name.clone(),
        port_name: port.name.clone(),
        destination,
        node_ports: is_node_port.then(|| node.node_ports(port.family).clone()),
        localhost_node_ports: node.environment.localhost_node_ports,
        lost: lost.collect(),
        policy_local: policy_local(planned),
        source_ranges: port.source_ranges.clone().filter(|_| is_balancer),
        affinity: port.affinity,
        when_endpoint_gone: port.when_endpoint_gone,
        choices: pools(outcomes).map(|pool| objects.choice(port, pool)).collect(),
        pending: index.is_pending(name),
    }
}

/// Which traffic policy counts, going by the plan. Without any endpoint none does.
fn policy_local(planned: Planned<'_>) -> Option<bool> {
    match (planned.frontend.traffic, planned.frontend.masquerade) {
        (Traffic::Everyone(Action::Reject), _) => None,
        (_, Masquerade::Always) => Some(false),
        (_, Masquerade::ThisNode) => Some(true),
        (traffic, Masquerade::UnlessLocalPod) => {
            Some(traffic != Traffic::Everyone(Action::Balance(Pool::Cluster)))
        }
    }
}

/// The pools that outcomes speak of, each once.
fn pools(outcomes: &[Outcome]) -> impl Iterator<Item = Pool> {
    let speaks_of = |outcome: &Outcome, pool: Pool| match &outcome.verdict {
        Verdict::Balance { pool: of, .. } => *of == pool,
        Verdict::Relay { .. } | Verdict::Reject(RejectReason::NoEndpoint) => pool == Pool::Cluster,
        Verdict::Drop(DropReason::NoLocalEndpoint) => pool == Pool::Local,
        Verdict::Reject(_) | Verdict::Drop(_) | Verdict::Pass => false,
    };
    let pools = [Pool::Cluster, Pool::Local].into_iter();
    pools.filter(move |pool| outcomes.iter().any(|outcome| speaks_of(outcome, *pool)))
}
