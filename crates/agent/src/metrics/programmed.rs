//! How much there is in the kernel.

use portolan_core::{Action, Change, Destination, Family, PortPlan, ServicePlan, Traffic};
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::labels::{By, Label, gauge_value, ip_family, zeros};

/// How much plans ask for. Follows their changes, so that nobody ever counts all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    services: i64,
    v4: FamilyTally,
    v6: FamilyTally,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct FamilyTally {
    frontends: i64,
    endpoints: i64,
    /// Ports whose ClusterIP is silent for want of endpoints on this node.
    nobody_inside: i64,
    /// The same for clients outside of the cluster.
    nobody_outside: i64,
}

impl Tally {
    /// Takes in changes.
    pub(crate) fn follow(&mut self, changes: &[Change]) {
        for change in changes {
            self.add(change.old.as_deref(), -1);
            self.add(change.new.as_deref(), 1);
        }
    }

    fn add(&mut self, plan: Option<&ServicePlan>, sign: i64) {
        let Some(plan) = plan else { return };
        self.services += sign;
        for port in &plan.ports {
            let family = match port.family {
                Family::V4 => &mut self.v4,
                Family::V6 => &mut self.v6,
            };
            family.frontends += sign * length(&port.frontends);
            family.endpoints += sign * endpoints(port);
            family.nobody_inside += sign * i64::from(drops(port, true));
            family.nobody_outside += sign * i64::from(drops(port, false));
        }
    }

    fn of(&self, family: Family) -> &FamilyTally {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }
}

fn length<T>(list: &[T]) -> i64 {
    gauge_value(list.len())
}

/// Those of both pools, each once.
fn endpoints(port: &PortPlan) -> i64 {
    let only_local = port.local.iter().filter(|it| port.cluster.binary_search(it).is_err());
    length(&port.cluster) + gauge_value(only_local.count())
}

/// Whether a `Local` policy leaves the ClusterIP, or else some address outside, silent.
fn drops(port: &PortPlan, inside: bool) -> bool {
    port.frontends.iter().any(|frontend| {
        let is_inside = matches!(frontend.destination, Destination::ClusterIp(_));
        let action = match frontend.traffic {
            Traffic::Everyone(action) => action,
            Traffic::ByOrigin { outside, .. } => outside,
        };
        is_inside == inside && action == Action::Drop
    })
}

/// Gauges of what the last successful sync left in the kernel.
#[derive(Clone, Debug)]
pub(crate) struct ProgrammedMetrics {
    services: Gauge,
    frontends: By<1, Gauge>,
    endpoints: By<1, Gauge>,
    no_local_endpoints: By<2, Gauge>,
}

impl Default for ProgrammedMetrics {
    fn default() -> ProgrammedMetrics {
        let policies = |family| [policy(family, true), policy(family, false)];
        ProgrammedMetrics {
            services: Gauge::default(),
            frontends: zeros(Family::BOTH.map(ip_family)),
            endpoints: zeros(Family::BOTH.map(ip_family)),
            no_local_endpoints: zeros(Family::BOTH.into_iter().flat_map(policies)),
        }
    }
}

impl ProgrammedMetrics {
    /// The kernel holds this now.
    pub(crate) fn set(&self, tally: &Tally) {
        self.services.set(tally.services);
        for family in Family::BOTH {
            let of_family = tally.of(family);
            self.frontends.get_or_create(&ip_family(family)).set(of_family.frontends);
            self.endpoints.get_or_create(&ip_family(family)).set(of_family.endpoints);
            let silent = |inside| self.no_local_endpoints.get_or_create(&policy(family, inside));
            silent(true).set(of_family.nobody_inside);
            silent(false).set(of_family.nobody_outside);
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "kubeproxy_sync_proxy_rules_no_local_endpoints_total",
            "Number of services with a Local traffic policy and no endpoints on this node, \
             counted by port",
            self.no_local_endpoints.clone(),
        );
        registry.register(
            "portolan_programmed_services",
            "Services that the kernel serves or refuses",
            self.services.clone(),
        );
        registry.register(
            "portolan_programmed_frontends",
            "Addresses and ports that the kernel serves or refuses; a NodePort counts once",
            self.frontends.clone(),
        );
        registry.register(
            "portolan_programmed_endpoints",
            "Endpoints that the kernel balances over, counted by Service port",
            self.endpoints.clone(),
        );
    }
}

fn policy(family: Family, inside: bool) -> [Label; 2] {
    let [family] = ip_family(family);
    [family, ("traffic_policy", if inside { "internal" } else { "external" })]
}
