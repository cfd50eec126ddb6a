//! What a plan asks for and this backend does not do yet, said to the operator.

use std::collections::HashSet;

use portolan_core::{ObjectName, ServicePlan};
use tracing::warn;

use crate::element::is_served;

/// The services of which something has been said.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    reported: HashSet<ObjectName>,
}

impl Limits {
    /// Logs what will not be done of a plan, once as long as it is so.
    pub(crate) fn report(&mut self, plan: &ServicePlan) {
        let has_affinity = plan.ports.iter().any(|port| port.affinity.is_some());
        let mut unserved = plan
            .ports
            .iter()
            .flat_map(|port| port.frontends.iter().filter(|frontend| !is_served(port, frontend)));
        let first = unserved.next();
        if !has_affinity && first.is_none() {
            self.reported.remove(&plan.name);
            return;
        }
        if !self.reported.insert(plan.name.clone()) {
            return;
        }
        for frontend in first.into_iter().chain(unserved) {
            warn!(
                service = %plan.name,
                address = %frontend.destination,
                port = frontend.port,
                "load balancer address is not served: the nftables backend does not support \
                 spec.loadBalancerSourceRanges yet, and would let every client in"
            );
        }
        if has_affinity {
            warn!(
                service = %plan.name,
                "clients are not kept on one endpoint: the nftables backend does not support \
                 spec.sessionAffinity yet"
            );
        }
    }
}
