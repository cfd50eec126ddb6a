//! Which endpoints of a port count, and why others do not.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::merge;
use crate::model::{EndpointSlice, Family, Protocol, Service, ServicePort};
use crate::plan::{EndpointAddress, Pool, PortPlan};
use crate::problem::Problem;
use crate::select::{Candidate, Filter, Placement};

/// The endpoints of one of the two pools of a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// The pool.
    pub pool: Pool,
    /// By which rule it is filled; `None` if there is no endpoint to fill it with.
    pub rule: Option<Rule>,
    /// The endpoints in it, by address.
    pub taken: Vec<Taken>,
    /// Endpoints of the port that are not in it, by address.
    pub left_out: Vec<LeftOut>,
    /// Endpoints whose address cannot be used, whatever the rule.
    pub unusable: Vec<Problem>,
    /// What the EndpointSlices of the Service have instead, if none has the port's name and
    /// protocol.
    pub other_ports: Vec<SlicePort>,
}

/// The rule by which a pool is filled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rule {
    /// Endpoints that are ready.
    Ready,
    /// Ready ones whose hints name this node: every ready one has hints for nodes.
    HintedForNode(String),
    /// Ready ones whose hints name this node's zone: every ready one has hints for zones.
    HintedForZone(String),
    /// None is ready; those that serve while they terminate.
    Draining,
    /// Ready ones of this node.
    ReadyHere,
    /// None of this node is ready; those of it that serve while they terminate.
    DrainingHere,
}

/// An endpoint that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The endpoint.
    pub address: EndpointAddress,
    /// Its `nodeName`.
    pub node: Option<Arc<str>>,
    /// Whether it is on this node.
    pub here: bool,
}

/// An endpoint that does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The endpoint.
    pub address: EndpointAddress,
    /// Its `nodeName`.
    pub node: Option<Arc<str>>,
    /// Whether it is on this node.
    pub here: bool,
    /// Why not.
    pub because: WhyNot,
}

/// Why an endpoint does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WhyNot {
    /// It is not ready.
    NotReady,
    /// It terminates, and others are ready.
    Terminating,
    /// It terminates, and serves no longer.
    StoppedServing,
    /// It is on another node.
    OtherNode,
    /// It names no node, so it does not count as one of this node.
    NoNode,
    /// Its hints name these nodes.
    HintedForNodes(Vec<Arc<str>>),
    /// Its hints name these zones.
    HintedForZones(Vec<Arc<str>>),
    /// It will count once the backend has been given the last changes.
    Pending,
}

/// A port of an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SlicePort {
    /// The name; empty if absent.
    pub name: Arc<str>,
    /// The protocol.
    pub protocol: Protocol,
    /// The number, host byte order.
    pub port: u16,
}

/// The objects behind a port, seen from this node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Objects<'a> {
    pub(super) service: Option<&'a Service>,
    pub(super) slices: &'a [Arc<EndpointSlice>],
    pub(super) node_name: &'a str,
    pub(super) zone: Option<&'a str>,
}

impl Objects<'_> {
    /// Which endpoints are in a pool of a plan, and why the others are not.
    pub(super) fn choice(&self, plan: &PortPlan, pool: Pool) -> Choice {
        let port = self.port(plan);
        let candidates = port.map_or(Vec::new(), |port| {
            merge::candidates(self.slices, plan.family, port, self.node_name)
        });
        let filter = (!candidates.is_empty())
            .then(|| Filter::of(pool, &candidates, self.node_name, self.zone));
        let in_pool = plan.pool(pool);
        let left_out = candidates.iter().filter(|it| !in_pool.contains(&it.address));
        let of_family = self.slices.iter().filter(|slice| slice.family == plan.family);
        Choice {
            pool,
            rule: filter.map(Rule::from),
            taken: in_pool.iter().map(|address| self.taken(*address, plan.family)).collect(),
            left_out: left_out
                .filter_map(|candidate| Some(self.left_out(candidate, filter?)))
                .collect(),
            unusable: of_family.flat_map(|slice| merge::problems(slice)).collect(),
            other_ports: port.map_or(Vec::new(), |port| self.other_ports(port, plan.family)),
        }
    }

    fn port(&self, plan: &PortPlan) -> Option<&ServicePort> {
        let mut ports = self.service?.ports.iter();
        ports.find(|port| port.name == plan.name && port.protocol == plan.protocol)
    }

    /// What the slices of a family have, unless some have this port.
    fn other_ports(&self, port: &ServicePort, family: Family) -> Vec<SlicePort> {
        let slices = self.slices.iter().filter(|slice| slice.family == family);
        let ports: Vec<_> = slices.flat_map(|slice| &slice.ports).collect();
        if ports.iter().any(|it| it.name == port.name && it.protocol == port.protocol) {
            return Vec::new();
        }
        let mut others: Vec<SlicePort> = ports
            .into_iter()
            .map(|it| SlicePort { name: it.name.clone(), protocol: it.protocol, port: it.port })
            .collect();
        others.sort();
        others.dedup();
        others
    }

    fn taken(&self, address: EndpointAddress, family: Family) -> Taken {
        let node = self.node_of(address, family);
        let here = node.as_deref().is_some_and(|name| name == self.node_name);
        Taken { address, node, here }
    }

    fn left_out(&self, candidate: &Candidate<'_>, filter: Filter<'_>) -> LeftOut {
        let address = candidate.address;
        LeftOut {
            address,
            node: self.node_of(address, Family::of(address.ip)),
            here: candidate.placement == Placement::ThisNode,
            because: why_not(candidate, filter),
        }
    }

    /// The node that an endpoint names, in any of the slices.
    fn node_of(&self, address: EndpointAddress, family: Family) -> Option<Arc<str>> {
        let slices = self.slices.iter().filter(|slice| slice.family == family);
        let mut endpoints = slices.flat_map(|slice| &slice.endpoints);
        endpoints.find(|it| it.address == address.ip && it.node_name.is_some())?.node_name.clone()
    }
}

/// Why a rule does not admit an endpoint.
fn why_not(candidate: &Candidate<'_>, filter: Filter<'_>) -> WhyNot {
    if filter.admits(candidate) {
        return WhyNot::Pending;
    }
    if matches!(filter, Filter::ReadyOnThisNode | Filter::DrainingOnThisNode) {
        match candidate.placement {
            Placement::OtherNode => return WhyNot::OtherNode,
            Placement::Unknown => return WhyNot::NoNode,
            Placement::ThisNode => {}
        }
    }
    let hints = || candidate.hints.cloned().unwrap_or_default();
    match filter {
        _ if !candidate.conditions.ready => unready(candidate),
        Filter::ReadyForNode(_) => WhyNot::HintedForNodes(hints().nodes),
        Filter::ReadyForZone(_) => WhyNot::HintedForZones(hints().zones),
        // A rule that takes what drains is there because nothing is ready.
        Filter::Ready | Filter::Draining | Filter::ReadyOnThisNode | Filter::DrainingOnThisNode => {
            WhyNot::Pending
        }
    }
}

fn unready(candidate: &Candidate<'_>) -> WhyNot {
    let conditions = candidate.conditions;
    match (conditions.terminating, conditions.serving) {
        (false, _) => WhyNot::NotReady,
        (true, true) => WhyNot::Terminating,
        (true, false) => WhyNot::StoppedServing,
    }
}

impl From<Filter<'_>> for Rule {
    fn from(filter: Filter<'_>) -> Rule {
        match filter {
            Filter::Ready => Rule::Ready,
            Filter::ReadyForNode(name) => Rule::HintedForNode(name.to_owned()),
            Filter::ReadyForZone(zone) => Rule::HintedForZone(zone.to_owned()),
            Filter::Draining => Rule::Draining,
            Filter::ReadyOnThisNode => Rule::ReadyHere,
            Filter::DrainingOnThisNode => Rule::DrainingHere,
        }
    }
}
