//! Judging single flows.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{FlowRules, FrontendKey, TrackedFlow};
use crate::backend::{Environment, NodePortAddresses};
use crate::model::Family;

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
    pub fn is_stale(&self, flow: TrackedFlow) -> bool {
        let keys = || self.keys(flow);
        let rule = keys().find_map(|key| self.rules.rules.get(&key));
        rule.is_some_and(|rule| rule.is_stale(flow))
            || waits_untranslated(flow) && keys().any(|key| self.rules.appeared.contains(&key))
    }

    /// The frontends that a flow may be one to, the more special one first.
    fn keys(&self, flow: TrackedFlow) -> impl Iterator<Item = FrontendKey> {
        let (protocol, ip) = (flow.protocol, flow.destination.ip);
        let (family, port) = (Family::of(ip), flow.destination.port);
        let key = move |address| FrontendKey { protocol, family, address, port };
        let node_port = self.takes_node_ports(ip).then(|| key(None));
        std::iter::once(key(Some(ip))).chain(node_port)
    }

    fn takes_node_ports(&self, ip: IpAddr) -> bool {
        self.node.contains(&ip) || self.localhost && ip.is_ipv4() && ip.is_loopback()
    }
}

/// A client repeats the packet that began the flow, to nobody.
fn waits_untranslated(flow: TrackedFlow) -> bool {
    !flow.answered && flow.reply_source == flow.destination
}
