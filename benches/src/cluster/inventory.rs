//! What a node has when it has everything.

use std::collections::HashSet;
use std::net::IpAddr;

use super::shares::Traits;
use super::{Cluster, Target, service};

/// How many frontends and endpoints the kernel has when it has everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frontends {
    /// Addresses, protocols and ports of ClusterIPs.
    pub(crate) cluster_ips: usize,
    /// The same of load balancers.
    pub(crate) load_balancers: usize,
    /// Endpoints of both, one for each frontend that leads to it.
    pub(crate) endpoints: usize,
}

impl Frontends {
    /// These and those.
    pub(crate) fn and(self, other: Frontends) -> Frontends {
        Frontends {
            cluster_ips: self.cluster_ips + other.cluster_ips,
            load_balancers: self.load_balancers + other.load_balancers,
            endpoints: self.endpoints + other.endpoints,
        }
    }

    fn of(number: u32, traits: &Traits, pods: usize) -> Frontends {
        let ports = service::ports(number, traits).len();
        let cluster_ips = ports * if traits.dual_stack { 2 } else { 1 };
        let load_balancers = if traits.load_balancer { ports } else { 0 };
        let endpoints = pods * (cluster_ips + load_balancers);
        Frontends { cluster_ips, load_balancers, endpoints }
    }
}

impl Cluster {
    /// The frontends of all services but some.
    pub(crate) fn frontends(&self, without: &HashSet<u32>) -> Frontends {
        let services = (0..self.services()).filter(|it| !without.contains(it));
        let each = services.map(|it| {
            let pods = self.pods(it).iter().map(Vec::len).sum();
            Frontends::of(it, &self.traits(it), pods)
        });
        each.fold(Frontends::default(), Frontends::and)
    }

    /// The frontends of a traffic target, which has one endpoint.
    pub(crate) fn frontends_of_target(&self, order: u32, target: &Target) -> Frontends {
        Frontends::of(self.services() + order, &target.traits(), 1)
    }

    /// The addresses of the pods of all services but some.
    pub(crate) fn addresses(&self, without: &HashSet<u32>) -> HashSet<IpAddr> {
        let services = (0..self.services()).filter(|it| !without.contains(it));
        let pods = services.flat_map(|it| {
            let pods = self.pods(it).concat().into_iter();
            pods.flat_map(move |pod| self.addresses_of(it, pod).all())
        });
        pods.collect()
    }
}

impl Target {
    pub(super) fn traits(&self) -> Traits {
        Traits { affinity: self.affinity, udp: self.udp, ..Traits::default() }
    }
}
