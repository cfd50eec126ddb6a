//! TCP packets in the middle of a connection that nobody knows.
//!
//! `drop` promises that such a packet goes where a new connection would. IPVS sends nothing
//! anywhere that does not begin a connection (`net.ipv4.vs.sloppy_tcp` would make it do so for
//! everybody), so what is for a service's address is lost. Hence the table turns strays away
//! where IPVS has connections, as for `reset`: the client hears at once what another endpoint
//! would have told it.

use std::borrow::Cow;
use std::sync::Arc;

use portolan_core::{Change, PortPlan, ServicePlan, WhenEndpointGone};

/// The plan with `reset` for `drop`.
pub(crate) fn resetting(plan: &Arc<ServicePlan>) -> Arc<ServicePlan> {
    if !drops(plan) {
        return Arc::clone(plan);
    }
    let mut plan = ServicePlan::clone(plan);
    for port in plan.ports.iter_mut().filter(|port| port_drops(port)) {
        port.when_endpoint_gone = WhenEndpointGone::Reset;
    }
    plan.into()
}

/// The same for changes. One that becomes none is still handed out: it changes nothing.
pub(crate) fn resetting_changes(changes: &[Change]) -> Cow<'_, [Change]> {
    let sides = |change: &Change| change.old.iter().chain(&change.new).any(|plan| drops(plan));
    if !changes.iter().any(sides) {
        return Cow::Borrowed(changes);
    }
    let change = |it: &Change| Change {
        service: it.service.clone(),
        old: it.old.as_ref().map(resetting),
        new: it.new.as_ref().map(resetting),
    };
    Cow::Owned(changes.iter().map(change).collect())
}

fn drops(plan: &ServicePlan) -> bool {
    plan.ports.iter().any(port_drops)
}

fn port_drops(port: &PortPlan) -> bool {
    port.when_endpoint_gone == WhenEndpointGone::Drop
}
