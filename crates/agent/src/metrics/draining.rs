//! Connections that stay where no new ones go.

use portolan_core::Draining;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::labels::{By, Label, gauge_value, zeros};

/// Why no new connections go there: the endpoint is no longer one of its Service's, or the
/// backend is no longer the one in use.
const REASONS: [[Label; 1]; 2] = [[("reason", "endpoint")], [("reason", "backend")]];

/// Gauges of what drains.
#[derive(Clone, Debug)]
pub(crate) struct DrainingMetrics {
    servers: By<1, Gauge>,
    endpoints: By<1, Gauge>,
    connections: By<1, Gauge>,
}

impl Default for DrainingMetrics {
    fn default() -> DrainingMetrics {
        DrainingMetrics {
            servers: zeros(REASONS),
            endpoints: zeros(REASONS),
            connections: zeros(REASONS),
        }
    }
}

impl DrainingMetrics {
    /// This is all that drains while this backend is in use.
    pub(crate) fn set(&self, draining: Option<&Draining>, backend: &str) {
        for (labels, other_backend) in REASONS.into_iter().zip([false, true]) {
            let draining = draining.filter(|it| (it.backend != backend) == other_backend);
            let value = |count: fn(&Draining) -> i64| draining.map_or(0, count);
            let set = |gauges: &By<1, Gauge>, value| gauges.get_or_create(&labels).set(value);
            set(&self.servers, value(|it| gauge_value(it.servers)));
            set(&self.endpoints, value(|it| gauge_value(it.endpoints)));
            set(&self.connections, value(|it| it.connections.try_into().unwrap_or(i64::MAX)));
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "portolan_draining_virtual_servers",
            "Virtual servers of IPVS with endpoints that get no new connections and wait for \
             theirs to end: gone endpoints (endpoint), or all of a backend that was left \
             (backend)",
            self.servers.clone(),
        );
        registry.register(
            "portolan_draining_endpoints",
            "Endpoints of virtual servers that get no new connections and wait for theirs to end",
            self.endpoints.clone(),
        );
        registry.register(
            "portolan_draining_connections",
            "Connections and flows that those endpoints still have, as far as the kernel counts \
             them",
            self.connections.clone(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drains_counts_for_its_reason_until_it_is_gone() {
        let metrics = DrainingMetrics::default();
        let (servers, endpoints, connections, seconds_left) = (1, 2, 3, 4);
        let backend = "ipvs".to_owned();
        let draining = Draining { backend, servers, endpoints, connections, seconds_left };
        let read = || {
            let of = |gauges: &By<1, Gauge>| REASONS.map(|it| gauges.get_or_create(&it).get());
            [of(&metrics.servers), of(&metrics.endpoints), of(&metrics.connections)]
        };
        metrics.set(Some(&draining), "ipvs");
        assert_eq!(read(), [[1, 0], [2, 0], [3, 0]]);
        metrics.set(Some(&draining), "nftables");
        assert_eq!(read(), [[0, 1], [0, 2], [0, 3]]);
        metrics.set(None, "nftables");
        assert_eq!(read(), [[0, 0]; 3]);
    }
}
