//! What the rules do with a packet, for each kind of client that it may be from.

use std::net::IpAddr;

use super::client::{Origin, Sender};
use super::outcome::{Chosen, DropReason, Outcome, Pick, RejectReason, SourceReason, Verdict};
use super::{Found, NodeView};
use crate::backend::LocalPods;
use crate::index::Planned;
use crate::model::{Family, Protocol};
use crate::plan::{Action, Destination, EndpointAddress, Masquerade, Pool, Traffic};

/// A packet on its way through the rules.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'a> {
    pub(super) node: &'a NodeView<'a>,
    pub(super) sender: Sender<'a>,
    pub(super) family: Family,
    pub(super) protocol: Protocol,
    /// `None`: any address that takes NodePorts.
    pub(super) destination: Option<IpAddr>,
}

impl Way<'_> {
    /// What becomes of a packet for a frontend.
    pub(super) fn served(&self, planned: Planned<'_>) -> Vec<Outcome> {
        self.outcomes(|origin| {
            let served = self.serve(planned, origin);
            let ranges =
                planned.port.source_ranges.as_deref().filter(|_| {
                    matches!(planned.frontend.destination, Destination::LoadBalancerIp(_))
                });
            let Some(ranges) = ranges else { return vec![(None, served)] };
            let dropped = Verdict::Drop(DropReason::SourceRanges);
            match self.sender.is_in(ranges, origin.node) {
                Some(true) => vec![(None, served)],
                Some(false) => vec![(None, dropped)],
                None => vec![(Some(true), served), (Some(false), dropped)],
            }
        })
    }

    /// What becomes of a packet for what no Service has.
    pub(super) fn unserved(&self, found: &Found) -> Vec<Outcome> {
        let verdict = match found {
            Found::UnknownPort(_) => Verdict::Reject(RejectReason::UnknownPort),
            Found::ServiceCidr(network) => Verdict::Drop(DropReason::ServiceCidr(*network)),
            Found::Frontend(_) | Found::ThisNode | Found::Nobody => Verdict::Pass,
        };
        self.outcomes(|_| vec![(None, verdict.clone())])
    }

    /// Clients of which the same becomes, together.
    fn outcomes(&self, decide: impl Fn(Origin) -> Vec<(Option<bool>, Verdict)>) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = Vec::new();
        for origin in self.sender.origins() {
            let decided = match self.is_kept_away(origin) {
                true => vec![(None, Verdict::Drop(DropReason::Loopback))],
                false => decide(origin),
            };
            for (in_source_ranges, verdict) in decided {
                let same = |it: &&mut Outcome| {
                    it.in_source_ranges == in_source_ranges && it.verdict == verdict
                };
                match outcomes.iter_mut().find(same) {
                    Some(outcome) => outcome.clients.push(origin),
                    None => {
                        outcomes.push(Outcome { clients: vec![origin], in_source_ranges, verdict });
                    }
                }
            }
        }
        outcomes
    }

    /// `guard-loopback`, before all other rules.
    fn is_kept_away(&self, origin: Origin) -> bool {
        !origin.node && self.destination.is_some_and(|it| self.node.guards(it))
    }

    fn serve(&self, planned: Planned<'_>, origin: Origin) -> Verdict {
        if self.is_relayed() {
            return self.relay(planned, origin);
        }
        let action = match planned.frontend.traffic {
            Traffic::Everyone(action) => action,
            // Pods before this node: who is both is a pod.
            Traffic::ByOrigin { inside, .. } if origin.local_pod || origin.node => inside,
            Traffic::ByOrigin { outside, .. } => outside,
        };
        match action {
            Action::Balance(pool) => self.balance(planned, origin, pool),
            Action::Reject => Verdict::Reject(RejectReason::NoEndpoint),
            Action::Drop => Verdict::Drop(DropReason::NoLocalEndpoint),
        }
    }

    /// NodePorts on `::1`, which no rule can serve. The kernel takes nothing from the network
    /// for this address.
    pub(super) fn is_relayed(&self) -> bool {
        self.family == Family::V6
            && self.node.environment.localhost_node_ports
            && self.protocol != Protocol::Sctp
            && self.destination.is_some_and(|it| it.is_loopback())
    }

    fn relay(&self, planned: Planned<'_>, origin: Origin) -> Verdict {
        match inside(planned) {
            Action::Balance(pool) if origin.node => {
                Verdict::Relay { endpoints: planned.port.pool(pool).to_vec() }
            }
            _ => Verdict::Pass,
        }
    }

    fn balance(&self, planned: Planned<'_>, origin: Origin, pool: Pool) -> Verdict {
        let source = self.source(planned, origin);
        let endpoints = planned.port.pool(pool).iter();
        Verdict::Balance {
            pool,
            endpoints: endpoints.map(|it| self.chosen(planned, origin, *it, source)).collect(),
            source,
            pick: self.pick(planned, origin),
        }
    }

    fn source(&self, planned: Planned<'_>, origin: Origin) -> SourceReason {
        match planned.frontend.masquerade {
            Masquerade::Always => SourceReason::PolicyCluster,
            Masquerade::ThisNode if origin.node && !origin.local_pod => SourceReason::ThisNode,
            Masquerade::ThisNode => SourceReason::PolicyLocal,
            Masquerade::UnlessLocalPod if self.node.masquerade_all => SourceReason::MasqueradeAll,
            Masquerade::UnlessLocalPod if *self.local_pods() == LocalPods::Unknown => {
                SourceReason::PodsUnknown
            }
            Masquerade::UnlessLocalPod if origin.local_pod => SourceReason::LocalPod,
            Masquerade::UnlessLocalPod => SourceReason::NotLocalPod,
        }
    }

    fn local_pods(&self) -> &LocalPods {
        self.node.local_pods(self.family)
    }

    fn chosen(
        &self,
        planned: Planned<'_>,
        origin: Origin,
        address: EndpointAddress,
        source: SourceReason,
    ) -> Chosen {
        let is_here = self.node.has(address.ip);
        let caller = self.sender.address();
        let may_call_itself = planned.port.hairpin.contains(&address.ip);
        let because = if is_here && !origin.node {
            source.masquerades().then_some(SourceReason::DeliveredHere)
        } else if may_call_itself && caller == Some(address.ip) {
            (!source.masquerades()).then_some(SourceReason::CallsItself)
        } else {
            None
        };
        let masqueraded = because.unwrap_or(source).masquerades();
        let unless_itself = !masqueraded
            && because.is_none()
            && may_call_itself
            && (origin.node || !is_here)
            && self.sender.may_be(address.ip, origin);
        Chosen { address, masqueraded, because, unless_itself }
    }

    /// IPVS has one set of destinations for an address, that of the outside, and no virtual
    /// server on loopback; what it cannot have is drawn by the table.
    fn pick(&self, planned: Planned<'_>, origin: Origin) -> Pick {
        let balances = |action| matches!(action, Action::Balance(_));
        let stays = match planned.frontend.traffic {
            Traffic::Everyone(_) => false,
            Traffic::ByOrigin { inside, outside } => {
                (origin.local_pod || origin.node) && balances(inside) && balances(outside)
            }
        };
        let loopback = self.destination.is_some_and(|it| it.is_loopback());
        match self.node.ipvs_scheduler.filter(|_| !stays && !loopback) {
            Some(of_node) => {
                let of_service = planned.service.ipvs_scheduler.map(|it| it.to_string());
                Pick::Scheduler(of_service.unwrap_or_else(|| of_node.to_owned()))
            }
            None => Pick::Random,
        }
    }
}

/// What happens to connections of this node.
pub(super) fn inside(planned: Planned<'_>) -> Action {
    let (Traffic::Everyone(action) | Traffic::ByOrigin { inside: action, .. }) =
        planned.frontend.traffic;
    action
}
