//! What to measure.

mod check;

use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _, Parser, value_parser};

use crate::arms::{Backend, Mode};
use crate::cluster::{Shares, Spec};
use crate::scenarios::names;
use crate::transport::Transport;

/// Of `cargo xtask`, which builds what this measures.
const AFTER_HELP: &str = "`cargo xtask bench --ci …` measures what the lane `bench` of the tests \
                          builds, in which dependencies are not optimised: for its baseline.";

/// Measure the agent as its users run it: a process of its own against an API server, seen
/// from the kernel, beside the bare netlink floor and, if there is one, kube-proxy.
///
/// It makes user and network namespaces of its own; it needs no root and no cluster, and
/// touches nothing else.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo xtask bench", bin_name = "cargo xtask bench", after_help = AFTER_HELP)]
pub struct Arguments {
    /// Numbers of services, each measured by itself
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 50_000],
          value_parser = value_parser!(u32).range(1..))]
    pub services: Vec<u32>,

    /// Endpoints of each service
    #[arg(long, default_value_t = 10, value_parser = value_parser!(u32).range(1..))]
    pub endpoints: u32,

    /// Services differ in how many endpoints they have, from one to nearly twice as many
    #[arg(long)]
    pub vary_endpoints: bool,

    /// How often everything is measured; the arms take turns, and medians count
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..))]
    pub runs: u32,

    /// Single changes of each kind in a run
    #[arg(long, default_value_t = 300, value_parser = value_parser!(u32).range(1..))]
    pub changes: u32,

    /// Changes of endpoints per second that are kept up; 0 leaves this out
    #[arg(long, value_name = "PER_SECOND", default_value_t = 2_000)]
    pub churn_rate: u32,

    /// For how many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub churn_seconds: u64,

    /// Connections of each kind in a run; 0 leaves traffic out
    #[arg(long, default_value_t = 1_000)]
    pub connections: u32,

    /// Pods of a deployment that is rolled
    #[arg(long, default_value_t = 500)]
    pub deployment: u32,

    /// Zones that nodes are spread over
    #[arg(long, default_value_t = 3)]
    pub zones: u32,

    /// What part of the services has which features.
    #[command(flatten)]
    pub shares: Shares,

    /// ClusterIPs of IPv4 and TCP only: all shares are 0
    #[arg(long)]
    pub plain: bool,

    /// The API server speaks HTTPS, as in a cluster: the agent and kube-proxy verify its
    /// certificate and send a token. Baselines hold what is measured without
    #[arg(long)]
    pub https: bool,

    /// Objects without `managedFields`, with which API servers send them
    #[arg(long)]
    pub without_managed_fields: bool,

    /// A size that takes under two minutes: 1,000 and 10,000 services, short runs. Sizes
    /// and lengths given on the command line are kept
    #[arg(long)]
    pub quick: bool,

    /// The agent; beside this program if it is not named
    #[arg(long, value_name = "PATH", help_heading = "Arms")]
    pub portolan: Option<PathBuf>,

    /// What the agent programs; IPVS needs a kernel that has it, and root
    #[arg(long, value_enum, default_value_t = Backend::Nftables, help_heading = "Arms")]
    pub backend: Backend,

    /// A kube-proxy to measure beside it
    #[arg(long, value_name = "PATH", help_heading = "Arms")]
    pub kube_proxy: Option<PathBuf>,

    /// What that kube-proxy programs
    #[arg(long, value_enum, default_value_t = Mode::Nftables, help_heading = "Arms")]
    pub kube_proxy_mode: Mode,

    /// Directories in which it finds nft, iptables-restore and conntrack, before PATH
    #[arg(long, value_name = "DIRECTORIES", value_delimiter = ':', help_heading = "Arms")]
    pub kube_proxy_path: Vec<PathBuf>,

    /// A further flag for it; can be repeated
    #[arg(long, value_name = "FLAG", allow_hyphen_values = true, help_heading = "Arms")]
    pub kube_proxy_flag: Vec<String>,

    /// Where the figures go as JSON
    #[arg(long, value_name = "PATH", default_value = "target/bench.json", help_heading = "Output")]
    pub json: PathBuf,

    /// Where a plot of cost against services goes: PATH.svg and PATH.png
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    pub plot: Option<PathBuf>,

    /// Measure nothing: print and plot the figures of this file
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    pub from: Option<PathBuf>,

    /// Fail if a ratio or a count is worse than in this file by more than the margin there
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    pub compare: Option<PathBuf>,

    /// Write what `--compare` takes
    #[arg(long, value_name = "PATH", help_heading = "Output")]
    pub write_baseline: Option<PathBuf>,

    /// No progress on standard error
    #[arg(long, help_heading = "Output")]
    pub no_progress: bool,

    /// Seconds after which something that has not happened is a failure
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub patience: u64,
}

/// What one run at one size does.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) spec: Spec,
    pub(crate) transport: Transport,
    pub(crate) changes: u32,
    pub(crate) churn_rate: u32,
    pub(crate) churn_duration: Duration,
    pub(crate) connections: u32,
    pub(crate) patience: Duration,
}

impl Arguments {
    /// The arguments of the command line.
    pub fn of_command_line() -> Arguments {
        let matches = Arguments::command().get_matches();
        let mut arguments =
            Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
        if arguments.quick {
            let given = |name: &str| {
                matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine)
            };
            arguments.shorten(&given);
        }
        if let Err(why) = arguments.check() {
            Arguments::command().error(ErrorKind::ValueValidation, why).exit();
        }
        arguments
    }

    /// What `--quick` stands for, but for what is given.
    fn shorten(&mut self, given: &dyn Fn(&str) -> bool) {
        if !given("services") {
            self.services = vec![1_000, 10_000];
        }
        for (name, value, short) in [
            ("runs", &mut self.runs, 3),
            ("changes", &mut self.changes, 100),
            ("churn_rate", &mut self.churn_rate, 1_000),
            ("connections", &mut self.connections, 300),
        ] {
            if !given(name) {
                *value = short;
            }
        }
        if !given("churn_seconds") {
            self.churn_seconds = 4;
        }
    }

    /// Whether a scenario is not left out.
    pub(crate) fn wants(&self, scenario: &str) -> bool {
        match scenario {
            names::CHURN => self.churn_rate > 0 && self.churn_seconds > 0,
            names::CONNECT
            | names::CONNECT_SERVICE
            | names::CONNECT_AFFINITY
            | names::DATAGRAM_PAST
            | names::DATAGRAM => self.connections > 0,
            names::ROLLING_UPDATE => self.deployment > 0,
            _ => true,
        }
    }

    pub(crate) fn transport(&self) -> Transport {
        if self.https { Transport::Https } else { Transport::Http }
    }

    pub(crate) fn load(&self, services: u32) -> Load {
        Load {
            spec: Spec {
                services,
                endpoints: self.endpoints,
                vary_endpoints: self.vary_endpoints,
                shares: if self.plain { Shares::PLAIN } else { self.shares },
                zones: self.zones,
                deployment: self.deployment,
                managed_fields: !self.without_managed_fields,
            },
            transport: self.transport(),
            changes: self.changes,
            churn_rate: self.churn_rate,
            churn_duration: Duration::from_secs(self.churn_seconds),
            connections: self.connections,
            patience: Duration::from_secs(self.patience),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shortened(words: &[&str], given: &[&str]) -> Arguments {
        let mut arguments = Arguments::parse_from([&["bench"], words].concat());
        arguments.shorten(&|name| given.contains(&name));
        arguments
    }

    #[test]
    fn the_arguments_are_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_quick_size_keeps_what_is_given() {
        let quick = shortened(&[], &[]);
        assert_eq!((quick.services, quick.runs, quick.churn_seconds), (vec![1_000, 10_000], 3, 4));
        let words = ["--services", "20", "--churn-seconds", "9"];
        let mixed = shortened(&words, &["services", "churn_seconds"]);
        assert_eq!((mixed.services, mixed.runs, mixed.churn_seconds), (vec![20], 3, 9));
    }

    #[test]
    fn a_plain_cluster_has_no_shares() {
        let arguments = Arguments::parse_from(["bench", "--plain", "--share-udp", "0.5"]);
        assert_eq!(arguments.load(1).spec.shares, Shares::PLAIN);
    }
}
