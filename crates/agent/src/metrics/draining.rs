//! Connections that stay where no new ones go.

use portolan_core::Draining;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::labels::{By, Label, gauge_value, zeros};

/// The only backend that has connections of its own: those of the tables are connection
/// tracking's.
const IPVS: [Label; 1] = [("backend", "ipvs")];

/// Gauges of what drains.
#[derive(Clone, Debug)]
pub(crate) struct DrainingMetrics {
    connections: By<1, Gauge>,
    endpoints: By<1, Gauge>,
}

impl Default for DrainingMetrics {
    fn default() -> DrainingMetrics {
        DrainingMetrics { connections: zeros([IPVS]), endpoints: zeros([IPVS]) }
    }
}

impl DrainingMetrics {
    /// This is all that drains.
    pub(crate) fn set(&self, draining: Option<&Draining>) {
        let (connections, endpoints) = match draining {
            Some(it) => (i64::try_from(it.connections).unwrap_or(i64::MAX), it.endpoints),
            None => (0, 0),
        };
        self.connections.get_or_create(&IPVS).set(connections);
        self.endpoints.get_or_create(&IPVS).set(gauge_value(endpoints));
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "portolan_draining_connections",
            "Connections that stay with endpoints or a backend that get no new ones, as of a \
             few seconds ago",
            self.connections.clone(),
        );
        registry.register(
            "portolan_draining_endpoints",
            "Endpoints of frontends that have such connections",
            self.endpoints.clone(),
        );
    }
}
