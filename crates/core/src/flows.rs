//! Which flows of connection tracking are stale: UDP flows that go on to where their
//! service no longer is.
//!
//! Connection tracking translates the packets of a known flow without asking the rules
//! again, and a UDP client that keeps its socket never begins a new one. Such flows have
//! to be deleted; the next datagram then goes where the rules say. TCP and SCTP peers
//! notice by themselves.
//!
//! Policies and topology play no part, so that a flow lives as long as a TCP connection
//! would: while its endpoint serves, terminating or not.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::backend::{Environment, NodePortAddresses};
use crate::model::{Family, Protocol};
use crate::plan::{Change, EndpointAddress, PortPlan, ServicePlan};

/// A UDP flow, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpFlow {
    /// Whom its first packet was sent to.
    pub destination: EndpointAddress,
    /// Whom its answers come from: an endpoint, or the destination itself if the flow was
    /// not translated.
    pub reply_source: EndpointAddress,
}

/// UDP frontends whose flows may be stale, and what is known of each. Empty at first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowRules {
    rules: BTreeMap<FrontendKey, FlowRule>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FrontendKey {
    family: Family,
    /// `None` for every address of the node that takes NodePorts.
    address: Option<IpAddr>,
    port: u16,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct FlowRule {
    /// The serving endpoints of the owner; `None` if there is no owner any more.
    serving: Option<Arc<[EndpointAddress]>>,
    /// The serving endpoints of those that owned it before.
    former: BTreeSet<EndpointAddress>,
}

impl FlowRule {
    fn is_stale(&self, flow: UdpFlow) -> bool {
        match self.serving.as_deref() {
            Some([]) => flow.reply_source != flow.destination,
            Some(serving) => serving.binary_search(&flow.reply_source).is_err(),
            // Without an owner others may use the address: only what is known to have been
            // translated by us is ours to end.
            None => self.former.contains(&flow.reply_source),
        }
    }
}

impl FlowRules {
    /// Whether no flow can be stale.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Whether no flow of a family can be stale.
    pub fn is_empty_for(&self, family: Family) -> bool {
        !self.rules.keys().any(|key| key.family == family)
    }

    /// Takes in changes that the kernel's rules will have followed, or have, before flows
    /// are looked at. What was taken in before counts on.
    pub fn note_changes(&mut self, changes: &[Change]) {
        let mut batch = FlowRules::default();
        // A frontend may go from one service to another within a call.
        for (key, serving) in changes.iter().filter_map(|it| it.old.as_deref()).flat_map(frontends)
        {
            batch.rules.entry(key).or_default().former.extend(serving.iter());
        }
        for (key, serving) in changes.iter().filter_map(|it| it.new.as_deref()).flat_map(frontends)
        {
            batch.rules.entry(key).or_default().serving = Some(serving);
        }
        batch.rules.retain(|_, rule| rule.matters());
        self.merge(batch);
    }

    /// Takes in all plans that there are, with nothing known about what was before.
    pub fn note_all<'a>(&mut self, plans: impl Iterator<Item = &'a Arc<ServicePlan>>) {
        for (key, serving) in plans.flat_map(|plan| frontends(plan)) {
            self.rules.entry(key).or_default().serving = Some(serving);
        }
    }

    /// Takes in what became known later than this.
    pub fn merge(&mut self, later: FlowRules) {
        for (key, rule) in later.rules {
            let known = self.rules.entry(key).or_default();
            known.serving = rule.serving;
            known.former.extend(rule.former);
        }
    }
}

impl FlowRule {
    /// Whether the change could leave a flow stale.
    fn matters(&self) -> bool {
        match &self.serving {
            Some(serving) => !self.former.iter().eq(serving.iter()),
            None => !self.former.is_empty(),
        }
    }
}

/// The UDP frontends of a plan, with the serving endpoints of their ports.
fn frontends(plan: &ServicePlan) -> impl Iterator<Item = (FrontendKey, Arc<[EndpointAddress]>)> {
    let udp = plan.ports.iter().filter(|port| port.protocol == Protocol::Udp);
    udp.flat_map(|port: &PortPlan| {
        let serving: Arc<[EndpointAddress]> = port.serving.as_slice().into();
        port.frontends.iter().map(move |frontend| {
            let (address, port_number) = (frontend.destination.address(), frontend.port);
            let key = FrontendKey { family: port.family, address, port: port_number };
            (key, Arc::clone(&serving))
        })
    })
}

/// Tells stale flows from others, on one node.
#[derive(Debug)]
pub struct FlowJudge<'a> {
    rules: &'a FlowRules,
    node: BTreeSet<IpAddr>,
    localhost: bool,
}

impl<'a> FlowJudge<'a> {
    /// `local` are the addresses of this node's interfaces; they count in a family whose
    /// NodePorts are served on [`NodePortAddresses::Any`].
    pub fn new(rules: &'a FlowRules, environment: &Environment, local: &[IpAddr]) -> FlowJudge<'a> {
        let node = Family::BOTH.into_iter().flat_map(|family| {
            let chosen = match family {
                Family::V4 => &environment.node_ports_v4,
                Family::V6 => &environment.node_ports_v6,
            };
            let chosen = match chosen {
                NodePortAddresses::Any => local,
                NodePortAddresses::Listed(listed) => listed,
            };
            chosen.iter().copied().filter(move |ip| Family::of(*ip) == family && !ip.is_loopback())
        });
        let localhost = environment.localhost_node_ports;
        FlowJudge { rules, node: node.collect(), localhost }
    }

    /// Whether a flow is to be deleted.
    pub fn is_stale(&self, flow: UdpFlow) -> bool {
        self.rule_for(flow.destination).is_some_and(|rule| rule.is_stale(flow))
    }

    fn rule_for(&self, destination: EndpointAddress) -> Option<&FlowRule> {
        let EndpointAddress { ip, port } = destination;
        let key = |address| FrontendKey { family: Family::of(ip), address, port };
        let rules = &self.rules.rules;
        rules.get(&key(Some(ip))).or_else(|| match self.takes_node_ports(ip) {
            true => rules.get(&key(None)),
            false => None,
        })
    }

    fn takes_node_ports(&self, ip: IpAddr) -> bool {
        self.node.contains(&ip) || self.localhost && ip.is_ipv4() && ip.is_loopback()
    }
}
