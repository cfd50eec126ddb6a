//! What no argument is wrong in by itself.

use std::collections::HashSet;

use super::Arguments;
use crate::cluster::{MOST_LOAD_BALANCERS, MOST_PODS, MOST_SERVICES};
use crate::scenarios::DRAINED;

/// Services besides those that were asked for: the deployment's, and those for traffic.
const MORE_SERVICES: u64 = 60;

/// Sizes that cannot be measured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Impossible {
    #[error("--services {0} is given twice: figures of one size are not told apart")]
    Repeated(u32),
    #[error(
        "--services {services} is too much: the network of ClusterIPs has addresses for \
         {MOST_SERVICES} services, {MORE_SERVICES} of which are taken"
    )]
    Services { services: u32 },
    #[error(
        "--services {services} is too much: there are {MOST_LOAD_BALANCERS} addresses of load \
         balancers; more services need --share-load-balancer 0 or --plain"
    )]
    LoadBalancers { services: u32 },
    #[error(
        "--services {services} --endpoints {endpoints} is too much: with the pods of \
         --deployment, --changes and of the churn these are {pods}, and the pods' network has \
         {MOST_PODS} addresses"
    )]
    Pods { services: u32, endpoints: u32, pods: u64 },
}

impl Arguments {
    /// Every service and every pod of a run has an address of its own, and every size its
    /// figures.
    pub(crate) fn check(&self) -> Result<(), Impossible> {
        let mut seen = HashSet::new();
        for services in self.services.iter().copied() {
            if !seen.insert(services) {
                return Err(Impossible::Repeated(services));
            }
            let numbers = u64::from(services) + MORE_SERVICES;
            if numbers > u64::from(MOST_SERVICES) {
                return Err(Impossible::Services { services });
            }
            let balanced = !self.plain && self.shares.load_balancer > 0.0;
            if balanced && numbers > u64::from(MOST_LOAD_BALANCERS) {
                return Err(Impossible::LoadBalancers { services });
            }
            let pods = self.pods(services);
            if pods > u64::from(MOST_PODS) {
                return Err(Impossible::Pods { services, endpoints: self.endpoints, pods });
            }
        }
        Ok(())
    }

    /// Those that there are at first, and every one that comes in a run: each is a new one.
    fn pods(&self, services: u32) -> u64 {
        let [endpoints, changes, deployment, rate] =
            [self.endpoints, self.changes, self.deployment, self.churn_rate].map(u64::from);
        let first = u64::from(services).saturating_mul(endpoints) + deployment;
        // One for each that is replaced, one for two that are scaled, and a few by themselves.
        let single = changes.saturating_mul(2) + u64::from(DRAINED) + 2;
        let churn = rate.saturating_mul(self.churn_seconds);
        first.saturating_add(single).saturating_add(deployment).saturating_add(churn)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn refusal(words: &str) -> Option<String> {
        let words = std::iter::once("bench").chain(words.split_whitespace());
        match Arguments::try_parse_from(words) {
            Ok(arguments) => arguments.check().err().map(|error| error.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }

    #[test]
    fn sizes_that_have_addresses_for_all_are_taken() {
        for words in [
            "",
            "--services 1 --endpoints 1 --changes 1 --runs 1 --deployment 0",
            "--services 5000 --endpoints 50",
            "--services 100,1000,10000,50000 --churn-rate 5000",
            "--services 1000000 --endpoints 1 --plain",
        ] {
            assert_eq!(refusal(words), None, "{words}");
        }
    }

    #[test]
    fn sizes_that_cannot_be_measured_are_refused_by_their_names() {
        for (words, name) in [
            ("--services 0", "'--services <SERVICES>'"),
            ("--services 10,0", "'--services <SERVICES>'"),
            ("--endpoints 0", "'--endpoints <ENDPOINTS>'"),
            ("--changes 0", "'--changes <CHANGES>'"),
            ("--runs 0", "'--runs <RUNS>'"),
            ("--services 10,20,10", "--services 10 is given twice"),
            ("--services 4294967295", "--services 4294967295 is too much: the network of"),
            ("--services 200000 --endpoints 1", "--share-load-balancer 0 or --plain"),
            ("--services 50000 --endpoints 200", "--services 50000 --endpoints 200 is too much"),
            ("--services 65536 --endpoints 65536", "the pods' network has"),
            ("--services 10 --deployment 4294967295", "the pods' network has"),
            ("--services 10 --churn-seconds 18446744073709551615", "the pods' network has"),
        ] {
            let found = refusal(words).unwrap_or_default();
            assert!(found.contains(name), "{words}: {found}");
        }
    }
}
