//! Health checks: what a load balancer is told about a Service on this node
//! (`spec.healthCheckNodePort`).

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::merge;
use crate::model::{EndpointSlice, Family, Service, ServiceType};
use crate::plan::PortPlan;
use crate::select::{Candidate, Placement};

/// A port at which this node tells load balancers whether to send it traffic of a
/// Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// `spec.healthCheckNodePort`, TCP, host byte order, not zero.
    pub port: u16,
    /// Distinct addresses of ready endpoints on this node, over all ports of the Service;
    /// `None` if it is not served in IPv4.
    pub local_v4: Option<usize>,
    /// The same for IPv6.
    pub local_v6: Option<usize>,
}

impl HealthCheck {
    /// The number of a family.
    pub fn local_endpoints(&self, family: Family) -> Option<usize> {
        match family {
            Family::V4 => self.local_v4,
            Family::V6 => self.local_v6,
        }
    }
}

/// The health check of a Service that load balancers must ask where its endpoints are.
///
/// `ports` are what is planned for it: nothing is told of a family that is not served.
pub(crate) fn health_check(
    service: &Service,
    slices: &[Arc<EndpointSlice>],
    node_name: &str,
    ports: &[PortPlan],
) -> Option<HealthCheck> {
    let asked = service.service_type == ServiceType::LoadBalancer && service.external_policy_local;
    let port = service.health_check_node_port.filter(|port| asked && *port != 0)?;
    let count = |family| {
        let served = ports.iter().any(|port| port.family == family);
        served.then(|| local_endpoints(service, slices, node_name, family))
    };
    Some(HealthCheck { port, local_v4: count(Family::V4), local_v6: count(Family::V6) })
}

fn local_endpoints(
    service: &Service,
    slices: &[Arc<EndpointSlice>],
    node_name: &str,
    family: Family,
) -> usize {
    let candidates =
        service.ports.iter().flat_map(|port| merge::candidates(slices, family, port, node_name));
    let mut ips: Vec<IpAddr> =
        candidates.filter(counts).map(|candidate| candidate.address.ip).collect();
    ips.sort_unstable();
    ips.dedup();
    ips.len()
}

/// Traffic that still arrives is served by draining endpoints too, but the load balancer
/// is to send it elsewhere. Where a Service publishes addresses that are not ready, its
/// endpoints stay ready until they are gone, here as in the choice of endpoints.
fn counts(candidate: &Candidate<'_>) -> bool {
    let conditions = candidate.conditions;
    candidate.placement == Placement::ThisNode && conditions.ready
}
