//! Who owns which frontend.
//!
//! Of two services that claim one frontend, the one whose ClusterIP it is has it, else the
//! older one; the other one waits. An external address, which anybody may write into a
//! Service of their own, thus takes no connection from a ClusterIP (CVE-2020-8554). Every
//! operation costs as much as the claims of the service it is about.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::claim::{Claim, Field, FrontendKey};
use crate::model::{ObjectName, Service};
use crate::problem::{ObjectKind, Problem};

/// All claims of all services.
#[derive(Debug, Default)]
pub(super) struct Registry {
    /// Frontends that one service claims: nearly all of them.
    undisputed: BTreeMap<FrontendKey, Claimant>,
    /// Frontends that several services claim; the first one owns it.
    disputed: BTreeMap<FrontendKey, BTreeSet<Claimant>>,
    /// How many claims are lost.
    lost: usize,
    /// Services that name an address and claim no port of it: few.
    in_vain: BTreeMap<IpAddr, BTreeSet<ObjectName>>,
}

impl Registry {
    /// Enters the claims of a service, and gives `displaced` the services that lose a
    /// frontend to it.
    pub(super) fn register(
        &mut self,
        service: &Arc<Service>,
        claims: &[Claim],
        mut displaced: impl FnMut(&ObjectName),
    ) {
        for claim in claims {
            let key = claim.key();
            let claimant = Claimant { service: Arc::clone(service), field: claim.field };
            if let Some(claimants) = self.disputed.get_mut(&key) {
                if let Some(owner) = claimants.first().filter(|owner| claimant < **owner) {
                    displaced(owner.name());
                }
                claimants.insert(claimant);
                self.lost += 1;
            } else if let Some(owner) = self.undisputed.remove(&key) {
                if claimant < owner {
                    displaced(owner.name());
                }
                self.disputed.insert(key, BTreeSet::from([owner, claimant]));
                self.lost += 1;
            } else {
                self.undisputed.insert(key, claimant);
            }
        }
        for address in unclaimed(service, claims) {
            self.in_vain.entry(address).or_default().insert(service.name.clone());
        }
    }

    /// Strikes out the claims of a service, which must be those it was registered with,
    /// and gives `heir` the services that inherit a frontend.
    pub(super) fn release(
        &mut self,
        service: &Arc<Service>,
        claims: &[Claim],
        mut heir: impl FnMut(&ObjectName),
    ) {
        for claim in claims {
            let key = claim.key();
            let Some(claimants) = self.disputed.get_mut(&key) else {
                self.undisputed.remove(&key);
                continue;
            };
            let claimant = Claimant { service: Arc::clone(service), field: claim.field };
            let owned = claimants.first() == Some(&claimant);
            if !claimants.remove(&claimant) {
                continue;
            }
            self.lost -= 1;
            if let Some(next) = claimants.first().filter(|_| owned) {
                heir(next.name());
            }
            if claimants.len() == 1
                && let Some(last) = self.disputed.remove(&key).and_then(|mut all| all.pop_first())
            {
                self.undisputed.insert(key, last);
            }
        }
        for address in unclaimed(service, claims) {
            if let Some(services) = self.in_vain.get_mut(&address) {
                services.remove(&service.name);
                if services.is_empty() {
                    self.in_vain.remove(&address);
                }
            }
        }
    }

    /// Whether a service that claims a frontend has it.
    pub(super) fn owns(&self, service: &ObjectName, claim: &Claim) -> bool {
        let key = claim.key();
        let owner = self.undisputed.get(&key);
        let owner = owner.or_else(|| self.disputed.get(&key)?.first());
        owner.is_some_and(|owner| owner.name() == service)
    }

    /// The services that claim a frontend, its owner first.
    pub(super) fn claimants(&self, key: &FrontendKey) -> impl Iterator<Item = &ObjectName> {
        self.all(key).map(Claimant::name)
    }

    /// The services that name an address, with or without a right to it.
    pub(super) fn naming(&self, address: IpAddr) -> BTreeSet<&ObjectName> {
        let keys = FrontendKey::all_on(address);
        let undisputed = self.undisputed.range(keys.clone()).map(|(_, claimant)| claimant);
        let disputed = self.disputed.range(keys).flat_map(|(_, claimants)| claimants);
        let claimants = undisputed.chain(disputed).map(Claimant::name);
        claimants.chain(self.in_vain.get(&address).into_iter().flatten()).collect()
    }

    /// One problem for every claim to a frontend that is lost.
    pub(super) fn lost_claims(&self, key: &FrontendKey) -> Vec<Problem> {
        let mut claimants = self.all(key);
        let Some(owner) = claimants.next() else { return Vec::new() };
        claimants.map(|loser| loser.problem(key, owner)).collect()
    }

    fn all(&self, key: &FrontendKey) -> impl Iterator<Item = &Claimant> {
        let disputed = self.disputed.get(key).into_iter().flatten();
        self.undisputed.get(key).into_iter().chain(disputed)
    }

    /// How many claims are lost.
    pub(super) fn lost(&self) -> usize {
        self.lost
    }

    /// Whether no service claims anything.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.undisputed.is_empty()
            && self.disputed.is_empty()
            && self.in_vain.is_empty()
            && self.lost == 0
    }

    /// One problem for every claim that is lost.
    pub(super) fn problems(&self) -> impl Iterator<Item = Problem> {
        self.disputed.iter().flat_map(|(key, claimants)| {
            let owner = claimants.first();
            claimants.iter().skip(1).filter_map(move |loser| Some(loser.problem(key, owner?)))
        })
    }
}

/// The addresses that a service names and claims no port of.
fn unclaimed(service: &Service, claims: &[Claim]) -> impl Iterator<Item = IpAddr> {
    let is_claimed =
        move |address| claims.iter().any(|it| it.destination.address() == Some(address));
    service.addresses().filter(move |address| !is_claimed(*address))
}

/// A service that claims some frontend, and the field by which it does. Ordered by the
/// right to have it: ClusterIPs first, then the oldest, then by name.
#[derive(Clone, Debug)]
struct Claimant {
    service: Arc<Service>,
    field: Field,
}

impl Claimant {
    fn name(&self) -> &ObjectName {
        &self.service.name
    }

    fn has_cluster_ip(&self) -> bool {
        matches!(self.field, Field::ClusterIp(_))
    }

    /// A service of unknown age counts as newest.
    fn seniority(&self) -> (bool, bool, Option<i64>, &ObjectName) {
        let Service { created, .. } = *self.service;
        (!self.has_cluster_ip(), created.is_none(), created, self.name())
    }

    fn problem(&self, key: &FrontendKey, owner: &Claimant) -> Problem {
        let reason = if owner.has_cluster_ip() && !self.has_cluster_ip() {
            "has it as its ClusterIP"
        } else if self.service.created == owner.service.created {
            "comes first by name"
        } else {
            "is older"
        };
        Problem {
            kind: ObjectKind::Service,
            object: self.name().clone(),
            field: self.field.to_string(),
            reason: format!(
                "{key} is skipped: it belongs to Service {}, which {reason}",
                owner.name()
            ),
        }
    }
}

impl Ord for Claimant {
    fn cmp(&self, other: &Claimant) -> Ordering {
        self.seniority().cmp(&other.seniority())
    }
}

impl PartialOrd for Claimant {
    fn partial_cmp(&self, other: &Claimant) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Claimant {
    fn eq(&self, other: &Claimant) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Claimant {}
