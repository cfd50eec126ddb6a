//! One job: to list the flows, and to delete those that are stale.

use std::net::IpAddr;

use portolan_core::flows::{FlowJudge, FlowRules, Suspects, TrackedFlow};
use portolan_core::{BackendError, Environment, Family, Protocol};
use portolan_netlink::conntrack::Flow;
use tracing::warn;

use crate::node_ports;

/// The protocols whose flows can be stale.
const PROTOCOLS: [Protocol; 2] = [Protocol::Udp, Protocol::Tcp];

/// Connection tracking; replaced in tests.
pub(crate) trait FlowTable {
    /// Calls `visit` for the flows of a family and protocol, or for those that have not been
    /// answered. If this fails, some were visited; some may be visited more than once.
    fn flows(
        &mut self,
        family: Family,
        protocol: Protocol,
        unanswered: bool,
        visit: &mut dyn FnMut(Flow),
    ) -> Result<(), BackendError>;

    /// Deletes one flow. `false` if it was gone already.
    fn delete(&mut self, flow: &Flow) -> Result<bool, BackendError>;
}

/// Opens connection tracking, on the thread that works with it.
pub(crate) type OpenFlowTable = Box<dyn FnMut() -> Result<Box<dyn FlowTable>, BackendError> + Send>;

/// Deletes the stale flows; returns their number. If a listing fails, those that it had
/// before are deleted all the same; if a flow cannot be deleted, so are the others.
///
/// `later` tells, once the flows are listed, what else is known by then. A flow that is
/// stale by `rules` alone may have begun after them, and be as it should.
pub(super) fn sweep(
    open: &mut OpenFlowTable,
    rules: &FlowRules,
    environment: &Environment,
    later: &dyn Fn() -> FlowRules,
) -> Result<usize, BackendError> {
    let mut table = open()?;
    let local = local_addresses();
    let mut stale = Vec::new();
    let judge = FlowJudge::new(rules, environment, &local);
    let listed = list(&mut *table, rules, &mut |flow| {
        if is_stale(&judge, &flow) {
            stale.push(flow);
        }
    });
    let mut latest = rules.clone();
    latest.merge(later());
    let judge = FlowJudge::new(&latest, environment, &local);
    stale.retain(|flow| is_stale(&judge, flow));
    let (deleted, refused) = delete(&mut *table, &stale);
    listed.and(refused).map(|()| deleted)
}

/// How often the kernel may refuse to delete a flow within a job: if it refuses them all,
/// there is no need to ask for each.
const REFUSALS: usize = 16;

/// Deletes flows; returns how many there were, and why one could not be deleted. It keeps
/// nobody from the others: a kernel may hold on to single flows (`EBUSY` for those that are
/// offloaded, before `ctnetlink_del_conntrack` was changed for Linux 6.4).
fn delete(table: &mut dyn FlowTable, stale: &[Flow]) -> (usize, Result<(), BackendError>) {
    let (mut deleted, mut refusals, mut first) = (0_usize, 0, Ok(()));
    for flow in stale {
        match table.delete(flow) {
            Ok(was_there) => deleted = deleted.saturating_add(usize::from(was_there)),
            Err(error) => {
                first = first.and(Err(error));
                refusals += 1;
                if refusals == REFUSALS {
                    break;
                }
            }
        }
    }
    (deleted, first)
}

fn list(
    table: &mut dyn FlowTable,
    rules: &FlowRules,
    visit: &mut dyn FnMut(Flow),
) -> Result<(), BackendError> {
    let mut first = Ok(());
    for (family, protocol) in Family::BOTH.into_iter().flat_map(|it| PROTOCOLS.map(|p| (it, p))) {
        let unanswered = match rules.suspects(family, protocol) {
            Suspects::Nobody => continue,
            Suspects::Unanswered => true,
            Suspects::Everyone => false,
        };
        let listed = table.flows(family, protocol, unanswered, visit);
        first = first.and(listed);
    }
    first
}

/// Without them, flows to NodePorts are left alone where every address takes them.
fn local_addresses() -> Vec<IpAddr> {
    node_ports::interface_addresses().unwrap_or_else(|error| {
        warn!("cannot read the addresses of this node's interfaces: {error}");
        Vec::new()
    })
}

fn is_stale(judge: &FlowJudge<'_>, flow: &Flow) -> bool {
    Protocol::from_number(flow.protocol).is_some_and(|protocol| {
        judge.is_stale(TrackedFlow {
            protocol,
            destination: flow.original.destination.into(),
            reply_source: flow.reply.source.into(),
            answered: flow.answered,
        })
    })
}
