//! kube-proxy with its own defaults, as far as it can run in a network namespace.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

use super::{Arm, HEALTHZ, KUBE_PROXY, METRICS, cluster_cidr};
use crate::cluster::NODE_NAME;
use crate::observe::{Contents, Witness, Written};

/// What kube-proxy programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// `nft`, which it executes.
    Nftables,
    /// `iptables-restore` of the kind that writes to nf_tables; the older kind cannot be
    /// observed.
    Iptables,
    /// IPVS, for kernels that have it.
    Ipvs,
}

/// At most one synchronisation a second, unless told otherwise (`minSyncPeriod`), with one
/// more at once after a pause.
const SYNC_PERIOD: Duration = Duration::from_millis(1_000);

impl Arm {
    /// The kube-proxy in this file, which finds its programs in `path` first. `more` are
    /// further flags of the user.
    pub(crate) fn kube_proxy(program: &Path, mode: Mode, path: &[PathBuf], more: &[String]) -> Arm {
        let (name, contents) = match mode {
            Mode::Nftables => {
                ("nftables", Contents::Map { table: "kube-proxy", map: "service-ips" })
            }
            Mode::Iptables => {
                ("iptables", Contents::Chain { table: "nat", chain: "KUBE-SERVICES" })
            }
            Mode::Ipvs => ("ipvs", Contents::VirtualServers),
        };
        let mut arguments = vec![
            format!("--proxy-mode={name}"),
            format!("--hostname-override={NODE_NAME}"),
            format!("--cluster-cidr={}", cluster_cidr()),
            format!("--healthz-bind-address={HEALTHZ}"),
            format!("--metrics-bind-address={METRICS}"),
            // The server has no protobuf.
            "--kube-api-content-type=application/json".to_owned(),
            // The limits of connection tracking are the machine's.
            "--conntrack-max-per-core=0".to_owned(),
            "--conntrack-min=0".to_owned(),
            "--conntrack-tcp-timeout-established=0s".to_owned(),
            "--conntrack-tcp-timeout-close-wait=0s".to_owned(),
        ];
        arguments.extend(more.iter().cloned());
        Arm {
            name: KUBE_PROXY,
            program: program.to_owned(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            path: path.to_vec(),
            contents,
            written: Written::ClusterIps,
            quiet: SYNC_PERIOD * 5 / 2,
            // Its quiet before is longer than its timer.
            pause: Duration::ZERO,
            changes: 10,
            // It writes far more than what changes, see `observe`.
            witness: match mode {
                Mode::Nftables | Mode::Iptables => Witness::Generation,
                Mode::Ipvs => Witness::Destinations,
            },
            tells_readiness: false,
            tells_what_it_sends: false,
        }
    }
}
