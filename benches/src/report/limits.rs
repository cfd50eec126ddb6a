//! How much worse a value may become than it was measured once.

use serde::{Deserialize, Serialize};

use crate::figures::Size;

/// How far a value differs between machines and runs, and with what else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// Of the backend over the same transaction, one right after the other.
    Backend,
    /// The same where nearly all of it is the kernel's part.
    Kernel,
    /// Of the running agent over a floor.
    Process,
    /// Of many changes under way at once, over single ones.
    Burst,
    Traffic,
    /// More services over fewer.
    Growth,
    /// The rate asked for over the one that was kept up.
    Rate,
    Memory,
    /// What does not depend on the machine.
    Count,
    /// Over a kube-proxy, which is not there in every run.
    KubeProxy,
}

impl Kind {
    /// Those that baselines have.
    pub(crate) const COMPARED: [Kind; 9] = [
        Kind::Backend,
        Kind::Kernel,
        Kind::Process,
        Kind::Burst,
        Kind::Traffic,
        Kind::Growth,
        Kind::Rate,
        Kind::Memory,
        Kind::Count,
    ];

    /// The most that a value may be which was once measured as this. What is above a floor
    /// counts, not the floor, which nobody can make smaller.
    pub(crate) fn most(self, value: f64) -> f64 {
        let above_floor = |times: f64| 1.0 + (value - 1.0).max(0.0) * times;
        match self {
            Kind::Backend => above_floor(3.0),
            Kind::Traffic => value * 2.0,
            // What is hardly above its floor is above it by chance.
            Kind::Kernel => above_floor(4.0).max(value * 1.3),
            Kind::Process => value * 2.5,
            Kind::Burst => value * 3.0,
            // Less than before is chance.
            Kind::Growth => value.max(1.0) * 1.5,
            Kind::Rate => value * 1.1,
            Kind::Memory => value * 1.2,
            Kind::Count => value * 1.01,
            Kind::KubeProxy => f64::INFINITY,
        }
    }

    /// For readers of a baseline: the rule, and its reason.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Kind::Backend => {
                "1 + 3 * (value - 1): measured right beside its floor, in one thread; runs of one \
                 machine differ by a fifth of what is above it; DESIGN's 1.5 of a full sync is for builds \
                 as users have them, not for the lane's, whose dependencies are not optimised"
            }
            Kind::Kernel => {
                "1 + 4 * (value - 1), or 1.3 * value if that is more: the kernel takes nearly all of it, and its time alone \
                 differs by several percent"
            }
            Kind::Process => {
                "2.5 * value: the agent, the API server and the observer share \
                 processors, and the scheduler places them; memory and processor caches have a \
                 say in what is over a floor of microseconds"
            }
            Kind::Burst => {
                "3 * value: changes wait for each other, so how many come together and \
                 the longest of the waits are the scheduler's"
            }
            Kind::Traffic => {
                "2 * value: of medians, which differed by half in two runs of one commit; a round trip is a few wake-ups, which the \
                 processor's sleep and the scheduler have a say in"
            }
            Kind::Growth => {
                "1.5 * value, or 1.5 if that is more, and never twice: both sizes of a run are measured one after the other"
            }
            Kind::Rate => {
                "1.1 * value: the harness writes on the same processors, and may be late for a moment"
            }
            Kind::Memory => {
                "1.2 * value, of the most of all runs: the allocator keeps more with more \
                 processors"
            }
            Kind::Count => "1.01 * value, of the mean: it repeats, but for hash seeds and padding",
            Kind::KubeProxy => "none",
        }
    }

    /// What DESIGN's table (section 5) says at this size.
    pub(crate) fn target_at(self, size: Size) -> Option<f64> {
        let endpoints = u64::from(size.services) * u64::from(size.endpoints);
        match (self, endpoints) {
            (Kind::Memory, ..=100_000) => Some(64e6),
            (Kind::Memory, ..=250_000) => Some(300e6),
            _ => None,
        }
    }

    /// What it says between sizes: less than twice as much.
    pub(crate) fn target(self) -> Option<f64> {
        (self == Kind::Growth).then_some(2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_of_what_is_above_the_floor() {
        for (kind, value, expected) in [
            (Kind::Backend, 1.3, 1.9),
            (Kind::Process, 51.0, 127.5),
            (Kind::Kernel, 1.25, 2.0),
            (Kind::Kernel, 1.0, 1.3),
            (Kind::Burst, 1.2, 3.6),
            (Kind::Growth, 0.8, 1.5),
            (Kind::Traffic, 0.8, 1.6),
            (Kind::Growth, 1.2, 1.8),
            (Kind::Count, 0.0, 0.0),
            (Kind::Count, 200.0, 202.0),
            (Kind::Memory, 50e6, 60e6),
        ] {
            let most = kind.most(value);
            assert!((most - expected).abs() < 1e-6, "{kind:?} of {value}: {most}");
        }
    }

    #[test]
    fn memory_has_a_target_up_to_the_sizes_that_the_design_names() {
        for (services, endpoints, expected) in [
            (1_000, 10, Some(64e6)),
            (10_000, 10, Some(64e6)),
            (5_000, 50, Some(300e6)),
            (50_000, 10, None),
            (u32::MAX, u32::MAX, None),
        ] {
            let size = Size { services, endpoints };
            assert_eq!(Kind::Memory.target_at(size), expected, "{services} x {endpoints}");
        }
        assert_eq!(Kind::Process.target_at(Size { services: 10_000, endpoints: 10 }), None);
    }
}
