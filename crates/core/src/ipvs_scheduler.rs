//! Schedulers of IPVS: how it picks an endpoint for a new connection.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A scheduler of IPVS that a Service asks for, with its flags. Written as one text: the
/// name as the kernel has it, then flags as `ipvsadm --sched-flags` has them, separated by
/// commas, e.g. `mh,mh-port`. The annotation `portolan.dev/ipvs-scheduler` of a Service is
/// such a text, and only IPVS reads it: nftables draws an endpoint at random.
///
/// All endpoints have the same weight, so that a weighted scheduler does as its sibling
/// without weights: `wrr` as `rr`, `wlc` as `lc`. Whether the kernel at hand has a scheduler
/// is not known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct IpvsScheduler {
    algorithm: Algorithm,
    hashes_port: bool,
    falls_back: bool,
}

/// What the kernel has a module `ip_vs_NAME` for (`net/netfilter/ipvs/Kconfig`, v7.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Algorithm {
    RoundRobin,
    WeightedRoundRobin,
    LeastConnection,
    WeightedLeastConnection,
    LocalityBasedLeastConnection,
    LocalityBasedLeastConnectionWithReplication,
    DestinationHash,
    SourceHash,
    ShortestExpectedDelay,
    NeverQueue,
    WeightedFailover,
    WeightedOverflow,
    Maglev,
    TwoChoices,
}

impl Algorithm {
    const ALL: [Algorithm; 14] = [
        Algorithm::RoundRobin,
        Algorithm::WeightedRoundRobin,
        Algorithm::LeastConnection,
        Algorithm::WeightedLeastConnection,
        Algorithm::LocalityBasedLeastConnection,
        Algorithm::LocalityBasedLeastConnectionWithReplication,
        Algorithm::DestinationHash,
        Algorithm::SourceHash,
        Algorithm::ShortestExpectedDelay,
        Algorithm::NeverQueue,
        Algorithm::WeightedFailover,
        Algorithm::WeightedOverflow,
        Algorithm::Maglev,
        Algorithm::TwoChoices,
    ];

    const fn name(self) -> &'static str {
        match self {
            Algorithm::RoundRobin => "rr",
            Algorithm::WeightedRoundRobin => "wrr",
            Algorithm::LeastConnection => "lc",
            Algorithm::WeightedLeastConnection => "wlc",
            Algorithm::LocalityBasedLeastConnection => "lblc",
            Algorithm::LocalityBasedLeastConnectionWithReplication => "lblcr",
            Algorithm::DestinationHash => "dh",
            Algorithm::SourceHash => "sh",
            Algorithm::ShortestExpectedDelay => "sed",
            Algorithm::NeverQueue => "nq",
            Algorithm::WeightedFailover => "fo",
            Algorithm::WeightedOverflow => "ovf",
            Algorithm::Maglev => "mh",
            Algorithm::TwoChoices => "twos",
        }
    }

    /// Its flags: to hash the client's port too, and to try another endpoint if the one
    /// that was hashed to has weight 0.
    const fn flags(self) -> Option<[&'static str; 2]> {
        match self {
            Algorithm::SourceHash => Some(["sh-port", "sh-fallback"]),
            Algorithm::Maglev => Some(["mh-port", "mh-fallback"]),
            _ => None,
        }
    }
}

/// A text that names no scheduler. What the text is, the reader says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoScheduler {
    /// There is none of this name.
    #[error(
        "IPVS has no such scheduler, only {}",
        Algorithm::ALL.map(Algorithm::name).join(", ")
    )]
    Unknown,
    /// The scheduler has other flags, or none.
    #[error("{scheduler} has {} beside it", match flags {
        Some([port, fallback]) => format!("no flags but {port} and {fallback}"),
        None => "no flags that could stand".to_owned(),
    })]
    Flag {
        /// The scheduler.
        scheduler: &'static str,
        /// Its flags, if it has any.
        flags: Option<[&'static str; 2]>,
    },
}

impl IpvsScheduler {
    /// The names of all of them.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Algorithm::ALL.into_iter().map(Algorithm::name)
    }

    /// The name by which the kernel knows it.
    pub const fn name(self) -> &'static str {
        self.algorithm.name()
    }

    /// Whether connections of one client from other ports may go to other endpoints
    /// (`sh-port`, `mh-port`).
    pub const fn hashes_port(self) -> bool {
        self.hashes_port
    }

    /// Whether it is asked for that another endpoint is tried where the one that was hashed to
    /// drains (`sh-fallback`, `mh-fallback`). It is tried in any case: no client is to be
    /// turned away while there are endpoints.
    pub const fn falls_back(self) -> bool {
        self.falls_back
    }

    /// As kube-router reads its annotation `kube-router.io/service.schedflags`: numbered
    /// flags, of which the kernel knows two, and only for `mh`.
    pub fn with_numbered_flags(self, text: &str) -> IpvsScheduler {
        let has = |number| text.split(',').any(|flag| flag.trim() == number);
        let counts = self.algorithm == Algorithm::Maglev;
        IpvsScheduler {
            falls_back: counts && has("flag-1"),
            hashes_port: counts && has("flag-2"),
            ..self
        }
    }
}

impl FromStr for IpvsScheduler {
    type Err = NoScheduler;

    fn from_str(text: &str) -> Result<IpvsScheduler, NoScheduler> {
        let mut words = text.split(',').map(str::trim);
        let name = words.next().unwrap_or_default();
        let algorithm = Algorithm::ALL.into_iter().find(|it| it.name() == name);
        let algorithm = algorithm.ok_or(NoScheduler::Unknown)?;
        let flags = algorithm.flags();
        let mut scheduler = IpvsScheduler { algorithm, hashes_port: false, falls_back: false };
        for word in words {
            match flags {
                Some([port, _]) if word == port => scheduler.hashes_port = true,
                Some([_, fallback]) if word == fallback => scheduler.falls_back = true,
                _ => return Err(NoScheduler::Flag { scheduler: algorithm.name(), flags }),
            }
        }
        Ok(scheduler)
    }
}

impl fmt::Display for IpvsScheduler {
    /// As it is read: name, port, fallback.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        let Some([port, fallback]) = self.algorithm.flags() else { return Ok(()) };
        let flags = [self.hashes_port.then_some(port), self.falls_back.then_some(fallback)];
        flags.into_iter().flatten().try_for_each(|flag| write!(f, ",{flag}"))
    }
}

impl From<IpvsScheduler> for String {
    fn from(scheduler: IpvsScheduler) -> String {
        scheduler.to_string()
    }
}

impl TryFrom<String> for IpvsScheduler {
    type Error = NoScheduler;

    fn try_from(text: String) -> Result<IpvsScheduler, NoScheduler> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<IpvsScheduler, String> {
        text.parse().map_err(|error: NoScheduler| error.to_string())
    }

    #[test]
    fn every_scheduler_is_read_as_it_is_written() {
        let with_flags = ["sh", "mh"].into_iter().flat_map(|name| {
            ["port", "fallback", "port,-fallback"]
                .map(|flags| format!("{name},{name}-{}", flags.replace(",-", &format!(",{name}-"))))
        });
        let mut texts: Vec<String> = IpvsScheduler::names().map(str::to_owned).collect();
        assert_eq!(texts.len(), 14);
        texts.extend(with_flags);
        for text in texts {
            let scheduler = parse(&text).unwrap();
            assert_eq!(scheduler.to_string(), text);
            assert_eq!(scheduler.hashes_port(), text.contains("-port"), "{text}");
            assert_eq!(scheduler.falls_back(), text.contains("-fallback"), "{text}");
            let json = serde_json::to_string(&scheduler).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<IpvsScheduler>(&json).unwrap(), scheduler);
        }
    }

    #[test]
    fn blanks_around_words_and_flags_in_any_order_are_understood() {
        assert_eq!(
            parse(" mh , mh-fallback, mh-port ").unwrap().to_string(),
            "mh,mh-port,mh-fallback"
        );
    }

    #[test]
    fn what_is_no_scheduler_is_told_which_there_are() {
        let names = "rr, wrr, lc, wlc, lblc, lblcr, dh, sh, sed, nq, fo, ovf, mh, twos";
        let unknown = format!("IPVS has no such scheduler, only {names}");
        for text in ["", "RR", "round-robin", ",mh-port", "mh-port"] {
            assert_eq!(parse(text), Err(unknown.clone()), "{text:?}");
        }
        for text in ["mh,sh-port", "mh,port", "mh,", "mh,mh-port,x"] {
            let expected = "mh has no flags but mh-port and mh-fallback beside it";
            assert_eq!(parse(text), Err(expected.to_owned()), "{text:?}");
        }
        assert_eq!(parse("rr,sh-port").unwrap_err(), "rr has no flags that could stand beside it");
    }

    #[test]
    fn numbered_flags_count_for_maglev_only() {
        for (name, flags, expected) in [
            ("mh", "flag-1", "mh,mh-fallback"),
            ("mh", "flag-2", "mh,mh-port"),
            ("mh", " flag-2 ,flag-1,flag-3,what", "mh,mh-port,mh-fallback"),
            ("mh", "flag-3", "mh"),
            ("sh", "flag-1,flag-2", "sh"),
            ("rr", "flag-1", "rr"),
        ] {
            assert_eq!(parse(name).unwrap().with_numbered_flags(flags).to_string(), expected);
        }
    }
}
