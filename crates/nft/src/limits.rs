//! What a plan asks for and this backend does not do yet, said to the operator.

use portolan_core::ServicePlan;
use tracing::warn;

use crate::element::is_served;

/// Logs what will not be done of a new plan.
pub(crate) fn report(plan: &ServicePlan) {
    for port in &plan.ports {
        for frontend in &port.frontends {
            if !is_served(port, frontend) {
                warn!(
                    service = %plan.name,
                    address = %frontend.destination,
                    port = frontend.port,
                    "load balancer address is not served: the nftables backend does not support \
                     spec.loadBalancerSourceRanges yet, and would let every client in"
                );
            }
        }
    }
    if plan.ports.iter().any(|port| port.affinity.is_some()) {
        warn!(
            service = %plan.name,
            "clients are not kept on one endpoint: the nftables backend does not support \
             spec.sessionAffinity yet"
        );
    }
}
