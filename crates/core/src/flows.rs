//! Which flows of connection tracking are stale: those that go on to where their service no
//! longer is, or that never got there.
//!
//! Connection tracking translates the packets of a known flow without asking the rules
//! again. Such flows have to be deleted; their next packet then goes where the rules say.
//!
//! * **UDP.** A client that keeps its socket never begins a new flow, so each has to be
//!   translated to an endpoint that serves.
//! * **TCP** peers notice by themselves, so connections end only where the Service asks for
//!   it ([`WhenEndpointGone`](crate::WhenEndpointGone)). But a connection that was begun
//!   before its frontend was there is not translated, and neither are the repetitions of its
//!   first packet, for up to two minutes: it ends as soon as the frontend appears. While a
//!   frontend is there, nothing leaves it untranslated.
//!
//! Policies and topology play no part: a flow lives while its endpoint serves, terminating
//! or not.

mod judge;
mod rule;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

pub use self::judge::FlowJudge;
use self::rule::FlowRule;
use crate::model::{Family, Protocol};
use crate::plan::{Change, EndpointAddress, PortPlan, ServicePlan};

/// A flow, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackedFlow {
    /// Its protocol.
    pub protocol: Protocol,
    /// Whom its first packet was sent to.
    pub destination: EndpointAddress,
    /// Whom its answers come from: an endpoint, or the destination itself if the flow was
    /// not translated.
    pub reply_source: EndpointAddress,
    /// An answer has been seen.
    pub answered: bool,
}

/// Frontends whose flows may be stale, and what is known of each. Empty at first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowRules {
    /// UDP frontends, and TCP frontends of Services that ask for it.
    rules: BTreeMap<FrontendKey, FlowRule>,
    /// TCP frontends that were not there before.
    appeared: BTreeSet<FrontendKey>,
}

/// Which flows of a family and protocol have to be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suspects {
    /// None.
    Nobody,
    /// Those that have not been answered.
    Unanswered,
    /// All.
    Everyone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FrontendKey {
    protocol: Protocol,
    family: Family,
    /// `None` for every address of the node that takes NodePorts.
    address: Option<IpAddr>,
    port: u16,
}

impl FlowRules {
    /// Whether nothing is known of any flow.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.appeared.is_empty()
    }

    /// Which flows can be stale.
    pub fn suspects(&self, family: Family, protocol: Protocol) -> Suspects {
        let fits = |key: &FrontendKey| (key.family, key.protocol) == (family, protocol);
        if self.rules.iter().any(|(key, rule)| fits(key) && rule.ends_any(protocol)) {
            Suspects::Everyone
        } else if self.appeared.iter().any(fits) {
            Suspects::Unanswered
        } else {
            Suspects::Nobody
        }
    }

    /// Whether any flow of a family can be stale.
    pub fn has_suspects(&self, family: Family) -> bool {
        let suspects = |protocol| self.suspects(family, protocol) != Suspects::Nobody;
        Protocol::ALL.into_iter().any(suspects)
    }

    /// Takes in changes that the kernel's rules will have followed, or have, before flows
    /// are looked at. What was taken in before counts on.
    pub fn note_changes(&mut self, changes: &[Change]) {
        let mut batch = FlowRules::default();
        let old = || changes.iter().filter_map(|change| change.old.as_deref());
        let new = || changes.iter().filter_map(|change| change.new.as_deref());
        // A frontend may go from one service to another within a call.
        for (key, serving) in old().flat_map(watched) {
            batch.rules.entry(key).or_default().was_served_by(&serving);
        }
        for (key, serving) in new().flat_map(watched) {
            batch.rules.entry(key).or_default().serving = Some(serving);
        }
        batch.rules.retain(|key, rule| rule.matters(key.protocol));
        batch.appeared = new().flat_map(tcp_frontends).collect();
        for key in old().flat_map(tcp_frontends) {
            batch.appeared.remove(&key);
        }
        self.merge(batch);
    }

    /// Takes in all plans that there are, with nothing known about what was before.
    pub fn note_all<'a>(&mut self, plans: impl Iterator<Item = &'a Arc<ServicePlan>>) {
        // A set of many is made faster than it is filled.
        let mut appeared = Vec::new();
        for plan in plans {
            appeared.extend(tcp_frontends(plan));
            for (key, serving) in watched(plan) {
                self.rules.entry(key).or_default().serving = Some(serving);
            }
        }
        self.appeared.append(&mut appeared.into_iter().collect());
    }

    /// Takes in what became known later than this.
    ///
    /// Where flows cannot be looked at for long, what is known does not grow without end:
    /// flows of frontends beyond a hundred thousand time out.
    pub fn merge(&mut self, later: FlowRules) {
        if self.is_empty() {
            *self = later;
            return;
        }
        for (key, rule) in later.rules {
            if self.rules.len() < FlowRules::MOST || self.rules.contains_key(&key) {
                self.rules.entry(key).or_default().replace(rule);
            }
        }
        let room = FlowRules::MOST.saturating_sub(self.appeared.len());
        self.appeared.extend(later.appeared.into_iter().take(room));
    }

    /// Of so many frontends more can be known than one look at the cluster told.
    const MOST: usize = 100_000;
}

/// The frontends of a plan whose flows are to go to serving endpoints only, with these.
fn watched(plan: &ServicePlan) -> impl Iterator<Item = (FrontendKey, Arc<[EndpointAddress]>)> {
    let ports = plan.ports.iter().filter(|port| port.needs_serving());
    ports.flat_map(|port| {
        let serving: Arc<[EndpointAddress]> = port.serving.as_slice().into();
        keys(port).map(move |key| (key, Arc::clone(&serving)))
    })
}

fn tcp_frontends(plan: &ServicePlan) -> impl Iterator<Item = FrontendKey> {
    plan.ports.iter().filter(|port| port.protocol == Protocol::Tcp).flat_map(keys)
}

fn keys(port: &PortPlan) -> impl Iterator<Item = FrontendKey> {
    port.frontends.iter().map(|frontend| FrontendKey {
        protocol: port.protocol,
        family: port.family,
        address: frontend.destination.address(),
        port: frontend.port,
    })
}
