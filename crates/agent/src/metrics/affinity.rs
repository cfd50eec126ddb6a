//! Clients that session affinity remembers.

use portolan_core::Remembered;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::labels::{By, Label, gauge_value, ip_family};

/// Gauges of the maps. Their series are there while the backend can tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct AffinityMetrics {
    clients: By<2, Gauge>,
    room: By<2, Gauge>,
}

impl AffinityMetrics {
    /// These are all maps whose fill is known.
    pub(crate) fn set(&self, maps: &[Remembered]) {
        if maps.is_empty() {
            self.clients.clear();
            self.room.clear();
        }
        for map in maps {
            let labels = labels(map);
            self.clients.get_or_create(&labels).set(gauge_value(map.clients));
            self.room.get_or_create(&labels).set(gauge_value(map.room));
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "portolan_affinity_clients",
            "Clients that session affinity remembers, once for each frontend that they used, by \
             the map that has them. Linux 6.16 and newer tell",
            self.clients.clone(),
        );
        registry.register(
            "portolan_affinity_clients_limit",
            "How many of them a map takes; further clients are balanced without affinity",
            self.room.clone(),
        );
    }
}

fn labels(map: &Remembered) -> [Label; 2] {
    let [family] = ip_family(map.family);
    [family, ("map", map.map)]
}
