//! Everything that a Service asks for, and what becomes of packets to it.

use serde::{Deserialize, Serialize};

use super::client::Client;
use super::find::{To, explain_frontend};
use super::{Explanation, NodeView};
use crate::claim::claims;
use crate::index::{Index, Planned};
use crate::merge;
use crate::model::{Family, ObjectName, Service, ServiceType};
use crate::plan::{PortPlan, ServicePlan};
use crate::problem::Problem;

/// What becomes of packets to a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceExplanation {
    /// The Service.
    pub name: ObjectName,
    /// Why nothing of it is served, if so.
    pub unserved: Option<Unserved>,
    /// What becomes of packets to each address and port that it has.
    pub frontends: Vec<Explanation>,
    /// What it and its EndpointSlices ask for in vain.
    pub problems: Vec<Problem>,
    /// It or its EndpointSlices have changed, and the backend was not given that yet.
    pub pending: bool,
}

/// Why nothing of a Service is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unserved {
    /// There is no such Service.
    Unknown,
    /// Its type is `ExternalName`.
    ExternalName,
    /// It is headless: it has no ClusterIP.
    Headless,
    /// Nothing that it asks for can be served.
    NothingLeft,
}

/// Explains a Service.
pub(super) fn explain(
    index: &Index,
    node: &NodeView<'_>,
    name: &ObjectName,
    client: &Client,
) -> ServiceExplanation {
    let service = index.service(name);
    let plan = index.plan(name);
    let ports = plan.into_iter().flat_map(|plan| plan.ports.iter().map(move |port| (plan, port)));
    // Packets of the other family cannot be this client's.
    let family = client.address.map(Family::of);
    let ports = ports.filter(|(_, port)| family.is_none_or(|family| family == port.family));
    let frontends = ports.flat_map(|(plan, port)| explain_port(index, node, client, plan, port));
    ServiceExplanation {
        name: name.clone(),
        unserved: plan.is_none().then(|| unserved(service)),
        frontends: frontends.collect(),
        problems: problems(index, name, service),
        pending: index.is_pending(name),
    }
}

fn explain_port(
    index: &Index,
    node: &NodeView<'_>,
    client: &Client,
    service: &ServicePlan,
    port: &PortPlan,
) -> Vec<Explanation> {
    let explain = |frontend| {
        let planned = Planned { service, port, frontend };
        let PortPlan { family, protocol, .. } = *port;
        let destination = frontend.destination.address();
        let to = To { family, protocol, destination, port: frontend.port };
        explain_frontend(index, node, client, to, planned)
    };
    port.frontends.iter().map(explain).collect()
}

fn unserved(service: Option<&Service>) -> Unserved {
    match service {
        None => Unserved::Unknown,
        Some(it) if it.service_type == ServiceType::ExternalName => Unserved::ExternalName,
        Some(it) if it.cluster_ips.is_empty() => Unserved::Headless,
        Some(_) => Unserved::NothingLeft,
    }
}

fn problems(index: &Index, name: &ObjectName, service: Option<&Service>) -> Vec<Problem> {
    let mut problems = index.problems_of(name).to_vec();
    let claims = service.map_or(Vec::new(), |service| claims(service).claims);
    for claim in claims.iter().filter(|claim| !index.owns(name, claim)) {
        let lost = index.lost_claims(&claim.key());
        problems.extend(lost.into_iter().filter(|problem| problem.object == *name));
    }
    problems.extend(index.slices(name).iter().flat_map(|slice| merge::problems(slice)));
    problems
}
