//! The agent as its users run it, with its own defaults.

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use serde::Serialize;

use super::{Arm, HEALTHZ, METRICS, PORTOLAN, cluster_cidr};
use crate::cluster::NODE_NAME;
use crate::observe::{Contents, EndpointMaps, Witness, Written};

/// What the agent programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// Its table, through netlink.
    Nftables,
    /// IPVS, with a table for what IPVS cannot do.
    Ipvs,
}

/// Where the endpoints of ClusterIPs and load balancers are. Those of large clusters are in
/// several maps.
const ENDPOINTS: EndpointMaps =
    EndpointMaps { names: &["endpoints", "affinity-endpoints"], prefix: "endpoints-part-" };

impl Arm {
    /// The agent in this file.
    pub(crate) fn portolan(program: &Path, backend: Backend) -> Arm {
        let cidr = cluster_cidr();
        let (name, contents, witness) = match backend {
            Backend::Nftables => (
                "nftables",
                Contents::Table { table: "portolan", map: "services", endpoints: ENDPOINTS },
                Witness::Notifications,
            ),
            Backend::Ipvs => ("ipvs", Contents::VirtualServers, Witness::Destinations),
        };
        let arguments = [
            "run",
            "--source=kube",
            "--backend",
            name,
            "--node-name",
            NODE_NAME,
            "--cluster-cidr",
            &cidr,
            "--healthz-bind-address",
            HEALTHZ,
            "--metrics-bind-address",
            METRICS,
            // Of the machine, not of the namespace.
            "--control-socket=",
        ];
        Arm {
            name: PORTOLAN,
            program: program.to_owned(),
            arguments: arguments.map(Into::into).to_vec(),
            path: Vec::new(),
            contents,
            written: Written::Everything,
            quiet: Duration::from_millis(300),
            pause: Duration::from_millis(2),
            changes: u32::MAX,
            witness,
            tells_readiness: true,
            tells_what_it_sends: true,
        }
    }
}
