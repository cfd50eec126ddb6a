//! Compiling: a Service and its EndpointSlices, seen from one node, become a plan.

use std::net::IpAddr;
use std::sync::Arc;

use crate::claim::{self, Claim};
use crate::endpoint_gone::WhenEndpointGone;
use crate::health_check::health_check;
use crate::merge;
use crate::model::{EndpointSlice, Protocol, Service, ServiceType};
use crate::plan::{
    Action, EndpointAddress, Frontend, Masquerade, Pool, PortPlan, ServicePlan, Traffic,
};
use crate::select::{Candidate, Placement, Selection, SelectionPolicy, select};
use crate::source_ranges;

/// What a plan depends on besides the Service and its slices.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Viewpoint<'a> {
    /// The name that `nodeName` of local endpoints has.
    pub(crate) node_name: &'a str,
    /// The zone of the node.
    pub(crate) zone: Option<&'a str>,
    /// The addresses that the Node object names.
    pub(crate) node_addresses: &'a [IpAddr],
}

/// Plans a Service. `owns` tells whether a claim is the Service's to have.
///
/// `None` if there is nothing to plan: headless, `ExternalName`, or every claim lost.
pub(crate) fn compile(
    service: &Service,
    slices: &[Arc<EndpointSlice>],
    viewpoint: Viewpoint<'_>,
    owns: impl Fn(&Claim) -> bool,
) -> Option<ServicePlan> {
    let mut claims = claim::claims(service).claims;
    claims.retain(owns);
    let mut ports: Vec<PortPlan> = claims
        .chunk_by(|a, b| (a.family, a.port_index) == (b.family, b.port_index))
        .filter_map(|claims| port_plan(service, claims, slices, viewpoint))
        .collect();
    // Plans stay in memory, and most services have a single port.
    ports.shrink_to_fit();
    let health_check = health_check(service, slices, viewpoint.node_name, &ports);
    (!ports.is_empty()).then(|| ServicePlan {
        name: service.name.clone(),
        ports,
        health_check,
        ipvs_scheduler: service.ipvs_scheduler,
    })
}

/// Plans one port in one family; `claims` are those of this port that the Service owns.
fn port_plan(
    service: &Service,
    claims: &[Claim],
    slices: &[Arc<EndpointSlice>],
    viewpoint: Viewpoint<'_>,
) -> Option<PortPlan> {
    let first = claims.first()?;
    let port = service.ports.get(first.port_index)?;
    let policies = Policies::of(service);
    let local = |claim: &Claim| policies.is_local(claim);
    let policy = SelectionPolicy {
        // External clients of a Local policy need it too, for those inside.
        uses_cluster: claims.iter().any(|claim| claim.is_external() || !local(claim)),
        uses_local: claims.iter().any(local),
    };
    let candidates = merge::candidates(slices, first.family, port, viewpoint.node_name);
    let selection = select(&candidates, policy, viewpoint.node_name, viewpoint.zone);
    let mut frontends: Vec<Frontend> =
        claims.iter().map(|claim| frontend(claim, local(claim), &selection)).collect();
    frontends.sort_by_key(|frontend| frontend.destination);
    let when_endpoint_gone = when_endpoint_gone(service, port.protocol);
    Some(PortPlan {
        family: first.family,
        protocol: port.protocol,
        name: Arc::clone(&port.name),
        cluster: pool(selection.cluster.as_deref()),
        local: pool(selection.local.as_deref()),
        hairpin: hairpin(&selection),
        serving: serving(when_endpoint_gone.needs_serving(port.protocol), &candidates),
        when_endpoint_gone,
        affinity: service.session_affinity,
        source_ranges: source_ranges::source_ranges(
            service,
            first.family,
            &frontends,
            viewpoint.node_addresses,
        ),
        frontends,
    })
}

fn when_endpoint_gone(service: &Service, protocol: Protocol) -> WhenEndpointGone {
    match protocol {
        Protocol::Tcp => service.tcp_when_endpoint_gone,
        Protocol::Udp | Protocol::Sctp => WhenEndpointGone::Keep,
    }
}

/// Which kinds of frontends have the `Local` traffic policy.
struct Policies {
    internal_local: bool,
    external_local: bool,
}

impl Policies {
    /// The external policy has no meaning for a Service that nobody outside can reach by
    /// design; an address it got all the same is served as if the field were absent.
    fn of(service: &Service) -> Policies {
        let external = match service.service_type {
            ServiceType::NodePort | ServiceType::LoadBalancer => true,
            ServiceType::ClusterIP => !service.external_ips.is_empty(),
            ServiceType::ExternalName => false,
        };
        Policies {
            internal_local: service.internal_policy_local,
            external_local: external && service.external_policy_local,
        }
    }

    fn is_local(&self, claim: &Claim) -> bool {
        if claim.is_external() { self.external_local } else { self.internal_local }
    }
}

fn frontend(claim: &Claim, local: bool, selection: &Selection<'_>) -> Frontend {
    let external = claim.is_external();
    let balance = |pool, list: &Option<Vec<_>>| {
        if list.as_ref().is_some_and(|list| !list.is_empty()) {
            Action::Balance(pool)
        } else {
            Action::Drop
        }
    };
    let traffic = if !selection.has_any {
        Traffic::Everyone(Action::Reject)
    } else if !local {
        Traffic::Everyone(balance(Pool::Cluster, &selection.cluster))
    } else if !external {
        Traffic::Everyone(balance(Pool::Local, &selection.local))
    } else {
        Traffic::ByOrigin {
            inside: balance(Pool::Cluster, &selection.cluster),
            outside: balance(Pool::Local, &selection.local),
        }
    };
    let masquerade = match (external, local) {
        (false, _) => Masquerade::UnlessLocalPod,
        (true, false) => Masquerade::Always,
        (true, true) => Masquerade::ThisNode,
    };
    Frontend { destination: claim.destination, port: claim.port, traffic, masquerade }
}

fn pool(list: Option<&[&Candidate<'_>]>) -> Vec<EndpointAddress> {
    list.unwrap_or_default().iter().map(|candidate| candidate.address).collect()
}

/// An endpoint without `nodeName`, as hand-written slices have them, may be local; a
/// needless entry costs nothing, a missing one breaks its connections to itself.
fn hairpin(selection: &Selection<'_>) -> Vec<IpAddr> {
    let near = selection.all.iter().filter(|c| c.placement != Placement::OtherNode);
    let mut ips: Vec<IpAddr> = near.map(|candidate| candidate.address.ip).collect();
    ips.dedup();
    ips.shrink_to_fit();
    ips
}

/// Only some need it, and plans stay in memory.
fn serving(needed: bool, candidates: &[Candidate<'_>]) -> Vec<EndpointAddress> {
    let serves = |it: &&Candidate<'_>| it.conditions.ready || it.conditions.serving;
    candidates.iter().filter(|it| needed && serves(it)).map(|it| it.address).collect()
}
