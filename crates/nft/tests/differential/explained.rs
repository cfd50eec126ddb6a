//! What `explain` says of a packet, held against the model and against the kernel.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use portolan_core::explain::{
    Client, ClientKind, Explained, Explanation, Found, NodeView, Outcome, Question, Verdict,
};
use portolan_core::{Environment, Family, Index, ObjectName, explain};

use crate::model::{self, Seen};
use crate::packet::{Origin, Packet};
use crate::play::Observed;
use crate::report;
use crate::world::Addresses;

/// Asks `explain`.
pub(crate) struct Explainer<'a> {
    pub(crate) index: &'a Index,
    /// As the backend was told.
    pub(crate) environment: &'a Environment,
    pub(crate) masquerade_all: bool,
}

impl Explainer<'_> {
    /// Every way in which what is said of a packet is not what was predicted, or not what
    /// was seen.
    pub(crate) fn faults(
        &self,
        observed: &Observed,
        is_node: impl Fn(IpAddr) -> bool,
        own_ports: &RangeInclusive<u16>,
    ) -> BTreeSet<String> {
        let explanation = self.explain(&observed.packet, client(&observed.packet));
        let outcome = match explanation.outcomes.as_slice() {
            [outcome] if outcome.clients.len() == 1 && outcome.in_source_ranges.is_none() => {
                outcome
            }
            several => return BTreeSet::from([format!("explain leaves open: {several:?}")]),
        };
        let said = translated(&explanation, outcome);
        let predicted = &observed.prediction.verdict;
        let mut faults = BTreeSet::new();
        // What IPVS still has of a Service is in no plan.
        let is_left = *predicted == model::Verdict::Left && said == model::Verdict::Untouched;
        if said != *predicted && !is_left {
            faults.insert(format!("explain says {}", report::verdict(&said)));
        }
        let service = service(&explanation, outcome);
        if service != observed.prediction.service.as_ref() {
            faults.insert(format!("explain says that this is {service:?}"));
        }
        if !is_left {
            let seen = observed.predicted_by(said).faults(is_node, own_ports);
            faults.extend(seen.into_iter().map(|fault| format!("explain: {fault}")));
        }
        faults.extend(self.guesses(&observed.packet, outcome));
        faults
    }

    /// Whoever says less of the client hears of the same outcome among others.
    fn guesses(&self, packet: &Packet, outcome: &Outcome) -> BTreeSet<String> {
        let Client { kind, address, interface } = client(packet);
        // Without an address a pod is taken to be recognised, and others not.
        let is_pod = kind == Some(ClientKind::Pod);
        let is_typical = outcome.clients.iter().all(|it| it.local_pod == is_pod);
        let nobody = Client::default();
        let less = [
            Client { address, ..nobody.clone() },
            Client { address, interface: interface.clone(), ..nobody.clone() },
            Client { interface: interface.clone(), ..nobody.clone() },
            nobody.clone(),
        ];
        let typical = Client { kind, interface, ..nobody };
        let less = less.into_iter().chain(is_typical.then_some(typical));
        let mut faults = BTreeSet::new();
        for client in less {
            let open = self.explain(packet, client.clone()).outcomes;
            if !open.iter().any(|it| is_possible(it, outcome)) {
                faults.insert(format!("explain knows too much of {client:?}: {open:?}"));
            }
        }
        faults
    }

    fn explain(&self, packet: &Packet, client: Client) -> Explanation {
        let addresses: Vec<IpAddr> =
            Family::BOTH.into_iter().flat_map(|family| Addresses::of(family).node).collect();
        let node = NodeView {
            environment: self.environment,
            addresses: &addresses,
            masquerade_all: self.masquerade_all,
            ipvs_scheduler: None,
        };
        let Packet { protocol, destination, .. } = *packet;
        let (destination, port) = (destination.ip(), destination.port());
        let packet = explain::Packet { client, protocol, destination, port };
        match self.index.explain(&node, &Question::Packet(packet)) {
            Explained::Packet(explanation) => *explanation,
            Explained::Service(_) => unreachable!("a packet was asked about"),
        }
    }
}

/// Everything that there is to know of who sends a packet.
fn client(packet: &Packet) -> Client {
    let origin = packet.origin();
    let kind = match origin {
        Origin::Node => ClientKind::Node,
        Origin::LocalPod => ClientKind::Pod,
        Origin::RemotePod | Origin::Outside => ClientKind::Outside,
    };
    let interface = (origin != Origin::Node).then(|| origin.interface().to_owned());
    Client { kind: Some(kind), address: Some(packet.source), interface }
}

/// Whether an outcome for a client of whom less is known covers one for whom all is.
fn is_possible(open: &Outcome, known: &Outcome) -> bool {
    let is_client = known.clients.iter().all(|it| open.clients.contains(it));
    let same = match (&open.verdict, &known.verdict) {
        (
            Verdict::Balance { pool, endpoints, .. },
            Verdict::Balance { pool: known_pool, endpoints: known, .. },
        ) => {
            let masquerading = |(open, known): (&explain::Chosen, &explain::Chosen)| {
                open.address == known.address
                    && (open.masqueraded == known.masqueraded || open.unless_itself)
            };
            pool == known_pool
                && endpoints.len() == known.len()
                && endpoints.iter().zip(known).all(masquerading)
        }
        (open, known) => open == known,
    };
    is_client && same
}

/// Whose frontend the rules find.
fn service<'a>(explanation: &'a Explanation, outcome: &Outcome) -> Option<&'a ObjectName> {
    match (&explanation.found, &outcome.verdict) {
        (Found::Frontend(_), Verdict::Relay { .. }) => None,
        (Found::Frontend(found), _) => Some(&found.service),
        _ => None,
    }
}

/// In the words of the model. Its node has no agent, which would relay.
fn translated(explanation: &Explanation, outcome: &Outcome) -> model::Verdict {
    let Verdict::Balance { endpoints, .. } = &outcome.verdict else {
        return match outcome.verdict {
            Verdict::Reject(_) => model::Verdict::Refused,
            Verdict::Drop(_) => model::Verdict::Silent,
            Verdict::Balance { .. } | Verdict::Relay { .. } | Verdict::Pass => {
                model::Verdict::Untouched
            }
        };
    };
    let seen = |masqueraded| if masqueraded { Seen::Node } else { Seen::Client };
    let endpoints = endpoints.iter().map(|it| (SocketAddr::from(it.address), seen(it.masqueraded)));
    let sticky = match &explanation.found {
        Found::Frontend(found) => found.affinity.is_some(),
        _ => false,
    };
    model::Verdict::Balanced { endpoints: endpoints.collect(), sticky }
}
