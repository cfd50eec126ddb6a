//! Which endpoints of a Service port may be chosen.

use std::net::SocketAddr;
use std::sync::Arc;

use portolan_core::{Conditions, Family, Hints, Service, ServicePort};

use crate::cluster::Cluster;
use crate::world::NODE;

/// An endpoint of a Service port, from all its slices.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) address: SocketAddr,
    pub(super) node_name: Option<Arc<str>>,
    conditions: Conditions,
    hints: Option<Arc<Hints>>,
}

/// The endpoints that may be chosen.
#[derive(Debug)]
pub(super) struct Choice {
    /// Under the policy Cluster.
    pub(super) cluster: Vec<Endpoint>,
    /// Under the policy Local.
    pub(super) local: Vec<Endpoint>,
    /// Some endpoint somewhere would do.
    pub(super) has_any: bool,
}

impl Choice {
    /// For one port of a Service.
    pub(super) fn new(
        cluster: &Cluster,
        family: Family,
        service: &Service,
        port: &ServicePort,
    ) -> Choice {
        let all = merge(cluster, family, service, port);
        let local = all.iter().filter(|it| it.node_name.as_deref() == Some(NODE));
        Choice {
            cluster: ready_or_terminating(&all, |ready| close(cluster, ready)),
            local: ready_or_terminating(&local.cloned().collect::<Vec<_>>(), |ready| ready),
            has_any: all.iter().any(|it| it.conditions.ready || it.is_draining()),
        }
    }
}

impl Endpoint {
    fn is_draining(&self) -> bool {
        self.conditions.serving && self.conditions.terminating
    }

    fn hinted_nodes(&self) -> &[Arc<str>] {
        self.hints.as_ref().map_or(&[], |hints| &hints.nodes)
    }

    fn hinted_zones(&self) -> &[Arc<str>] {
        self.hints.as_ref().map_or(&[], |hints| &hints.zones)
    }
}

/// Those that are ready, as far as `narrow` keeps them; if none is, those that still serve
/// while they terminate.
fn ready_or_terminating(
    all: &[Endpoint],
    narrow: impl Fn(Vec<Endpoint>) -> Vec<Endpoint>,
) -> Vec<Endpoint> {
    let ready: Vec<Endpoint> = all.iter().filter(|it| it.conditions.ready).cloned().collect();
    if ready.is_empty() {
        all.iter().filter(|it| it.is_draining()).cloned().collect()
    } else {
        narrow(ready)
    }
}

/// Those that are meant for this node, else those that are meant for its zone, else all:
/// hints count only if every ready endpoint has some.
fn close(cluster: &Cluster, ready: Vec<Endpoint>) -> Vec<Endpoint> {
    let zone = cluster.node.zone.as_deref();
    let node_hints: fn(&Endpoint) -> &[Arc<str>] = Endpoint::hinted_nodes;
    let zone_hints: fn(&Endpoint) -> &[Arc<str>] = Endpoint::hinted_zones;
    for (hints, here) in [(node_hints, Some(NODE)), (zone_hints, zone)] {
        let is_meant = |it: &&Endpoint| hints(it).iter().any(|hint| Some(&**hint) == here);
        if ready.iter().all(|it| !hints(it).is_empty()) && ready.iter().any(|it| is_meant(&it)) {
            return ready.iter().filter(is_meant).cloned().collect();
        }
    }
    ready
}

/// Matches by name and protocol, never by number. Of an endpoint that is there twice, what
/// does not terminate counts.
fn merge(
    cluster: &Cluster,
    family: Family,
    service: &Service,
    port: &ServicePort,
) -> Vec<Endpoint> {
    let mut merged: Vec<Endpoint> = Vec::new();
    for slice in cluster.slices_of(&service.name, family) {
        let is_named = |it: &&portolan_core::EndpointPort| {
            it.name == port.name && it.protocol == port.protocol
        };
        for target in slice.ports.iter().filter(is_named) {
            for endpoint in &slice.endpoints {
                let found = Endpoint {
                    address: SocketAddr::new(endpoint.address, target.port),
                    node_name: endpoint.node_name.clone(),
                    conditions: endpoint.conditions,
                    hints: endpoint.hints.clone(),
                };
                match merged.iter_mut().find(|known| known.address == found.address) {
                    Some(known) if !found.conditions.terminating => *known = found,
                    Some(_) => {}
                    None => merged.push(found),
                }
            }
        }
    }
    merged
}
