//! What a plan has to serve on `::1`.

use std::collections::BTreeMap;
use std::time::Duration;

use portolan_core::{
    Action, Destination, EndpointAddress, Family, Frontend, ObjectName, PortPlan, Protocol,
    ServicePlan, Traffic,
};

/// A NodePort of IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct NodePort {
    pub(crate) transport: Transport,
    /// Host byte order.
    pub(crate) port: u16,
}

/// A protocol that can be relayed. SCTP is not: its relay would need SCTP sockets, which
/// the kernels of many nodes lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Transport {
    Tcp,
    Udp,
}

impl From<Transport> for Protocol {
    fn from(transport: Transport) -> Protocol {
        match transport {
            Transport::Tcp => Protocol::Tcp,
            Transport::Udp => Protocol::Udp,
        }
    }
}

/// Where a NodePort leads a process of this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) service: ObjectName,
    /// Whom new clients are given, each with equal probability. If there is none, nobody
    /// listens, and the kernel refuses.
    pub(crate) endpoints: Vec<EndpointAddress>,
    /// With whom a flow or a connection may stay, sorted; `None`: with anybody.
    pub(crate) serving: Option<Vec<EndpointAddress>>,
    /// How long an endpoint is kept after the last new connection.
    pub(crate) affinity: Option<Duration>,
}

/// The NodePorts of a Service.
pub(crate) type Targets = BTreeMap<NodePort, Target>;

/// What `plan` has to serve on `::1`, if anything.
pub(super) fn targets(plan: &ServicePlan) -> Option<Targets> {
    let mut targets = Targets::new();
    for port in plan.ports.iter().filter(|port| port.family == Family::V6) {
        let transport = match port.protocol {
            Protocol::Tcp => Transport::Tcp,
            Protocol::Udp => Transport::Udp,
            Protocol::Sctp => continue,
        };
        let node_ports = |it: &&Frontend| it.destination == Destination::NodePort;
        for frontend in port.frontends.iter().filter(node_ports) {
            if let Some(target) = target(plan, port, frontend.traffic) {
                targets.insert(NodePort { transport, port: frontend.port }, target);
            }
        }
    }
    (!targets.is_empty()).then_some(targets)
}

/// A process of the node is inside, as it is for the rules. Where nobody takes new clients,
/// connections may have to end all the same.
fn target(plan: &ServicePlan, port: &PortPlan, traffic: Traffic) -> Option<Target> {
    let (Traffic::Everyone(action) | Traffic::ByOrigin { inside: action, .. }) = traffic;
    let endpoints = match action {
        Action::Balance(pool) => port.pool(pool).to_vec(),
        Action::Reject | Action::Drop => Vec::new(),
    };
    let ends_connections = port.protocol == Protocol::Tcp && port.needs_serving();
    (ends_connections || !endpoints.is_empty()).then(|| Target {
        service: plan.name.clone(),
        endpoints,
        serving: port.needs_serving().then(|| port.serving.clone()),
        affinity: port.affinity.map(|it| Duration::from_secs(it.timeout_seconds.into())),
    })
}

#[cfg(test)]
mod tests;
