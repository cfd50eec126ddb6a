//! What part of the services has which features.

use serde::Serialize;

/// Parts of one: 0.05 gives a feature to five services of a hundred.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub struct Shares {
    /// Part of the services that have a NodePort
    #[arg(long = "share-node-port", value_name = "PART", default_value_t = 0.04, value_parser = part)]
    pub node_port: f64,
    /// Part of the services that have a load balancer's address, and a NodePort
    #[arg(long = "share-load-balancer", value_name = "PART", default_value_t = 0.02, value_parser = part)]
    pub load_balancer: f64,
    /// Part of the services with session affinity
    #[arg(long = "share-affinity", value_name = "PART", default_value_t = 0.02, value_parser = part)]
    pub affinity: f64,
    /// Part of those with a NodePort or load balancer that confine outside clients to this node
    #[arg(long = "share-local", value_name = "PART", default_value_t = 0.3, value_parser = part)]
    pub local: f64,
    /// Part of the services that speak UDP
    #[arg(long = "share-udp", value_name = "PART", default_value_t = 0.03, value_parser = part)]
    pub udp: f64,
    /// Part of the services that have addresses of both families
    #[arg(long = "share-dual-stack", value_name = "PART", default_value_t = 0.05, value_parser = part)]
    pub dual_stack: f64,
}

/// What one service is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Traits {
    pub(super) node_port: bool,
    pub(super) load_balancer: bool,
    pub(super) affinity: bool,
    pub(super) local: bool,
    pub(super) udp: bool,
    pub(super) dual_stack: bool,
}

/// The fractional parts of the square roots of 2, 3, 5, 7, 11 and 13, of 2^32. Multiples of
/// an irrational number fill the range evenly (Weyl), so every stretch of services has its
/// share; and no sum of multiples of these is a whole number, so features fall on services
/// independently of each other.
const MULTIPLIERS: [u32; 6] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c];

impl Shares {
    /// Nothing but ClusterIPs of IPv4 and TCP.
    pub const PLAIN: Shares = Shares {
        node_port: 0.0,
        load_balancer: 0.0,
        affinity: 0.0,
        local: 0.0,
        udp: 0.0,
        dual_stack: 0.0,
    };

    pub(super) fn traits(&self, service: u32) -> Traits {
        let [node_port, load_balancer, affinity, local, udp, dual_stack] = MULTIPLIERS;
        let has = |share: f64, multiplier: u32| {
            let place = f64::from(service.wrapping_add(1).wrapping_mul(multiplier));
            place < share * f64::from(u32::MAX)
        };
        let load_balancer = has(self.load_balancer, load_balancer);
        let node_port = load_balancer || has(self.node_port, node_port);
        Traits {
            node_port,
            load_balancer,
            affinity: has(self.affinity, affinity),
            local: node_port && has(self.local, local),
            udp: has(self.udp, udp),
            dual_stack: has(self.dual_stack, dual_stack),
        }
    }
}

/// A number below `limit` for each number, every stretch of them spread evenly over all.
pub(super) fn spread(number: u32, limit: u32) -> u32 {
    let [multiplier, ..] = MULTIPLIERS;
    let place = u64::from(number.wrapping_add(1).wrapping_mul(multiplier));
    u32::try_from((place * u64::from(limit)) >> u32::BITS).unwrap_or_default()
}

fn part(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(part) if (0.0..=1.0).contains(&part) => Ok(part),
        _ => Err("a part of one, such as 0.05, is wanted".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOME: Shares = Shares {
        node_port: 0.1,
        load_balancer: 0.05,
        affinity: 0.2,
        local: 0.5,
        udp: 0.02,
        dual_stack: 0.3,
    };

    fn part_of(range: std::ops::Range<u32>, has: impl Fn(&Traits) -> bool) -> f64 {
        let count = range.clone().filter(|service| has(&SOME.traits(*service))).count();
        count as f64 / f64::from(range.end - range.start)
    }

    #[test]
    fn every_stretch_of_services_has_its_share_of_each_feature() {
        for range in [0..1_000, 9_000..10_000, 0..50_000] {
            for (part, share) in [
                (part_of(range.clone(), |it| it.affinity), 0.2),
                (part_of(range.clone(), |it| it.load_balancer), 0.05),
                (part_of(range.clone(), |it| it.udp), 0.02),
                (part_of(range.clone(), |it| it.dual_stack), 0.3),
            ] {
                assert!((part - share).abs() < 0.01, "{part} is not {share} in {range:?}");
            }
        }
    }

    #[test]
    fn features_fall_on_services_independently() {
        let both = part_of(0..50_000, |it| it.affinity && it.dual_stack);
        assert!((both - 0.06).abs() < 0.01, "{both}");
    }

    #[test]
    fn only_those_that_outside_clients_reach_confine_them() {
        let local = part_of(0..50_000, |it| it.local);
        let exposed = part_of(0..50_000, |it| it.node_port);
        assert!((local / exposed - 0.5).abs() < 0.03, "{local} of {exposed}");
        assert_eq!(part_of(0..50_000, |it| it.local && !it.node_port), 0.0);
    }

    #[test]
    fn a_plain_cluster_has_no_feature() {
        assert!((0..50_000).all(|service| Shares::PLAIN.traits(service) == Traits::default()));
    }

    #[test]
    fn a_share_is_a_part_of_one() {
        for (text, expected) in
            [("0", Some(0.0)), ("0.25", Some(0.25)), ("1", Some(1.0)), ("1.1", None), ("x", None)]
        {
            assert_eq!(part(text).ok(), expected, "{text}");
        }
    }
}
