//! What the operator decides, from flags, a file and the environment.
//!
//! ```text
//!  flags ─▶ file ─▶ environment variables ─▶ host name      the first that says it wins
//!                        │
//!                   Settings (as written) ──resolve──▶ Config (typed, checked)
//! ```
//!
//! kube-proxy ignores most flags once it has a file. Here a flag always wins, because
//! whoever types one means it.
//!
//! While the agent runs, another `backend` in the file is taken (see [`crate::run()`]); all
//! else counts from the next start on, which interrupts nothing.

mod difference;
mod error;
mod file;
mod layers;
mod resolve;
mod settings;
mod suggest;
#[cfg(test)]
mod tests;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use portolan_core::Family;
use serde::{Deserialize, Serialize};

pub use error::ConfigError;
pub use file::{ConfigFile, parse, read_file};
pub use layers::{FollowedFile, Layers, Loaded};
pub use settings::{Given, Settings};

/// The port of the health server when only an address is given.
pub const DEFAULT_HEALTHZ_PORT: u16 = 10256;
/// The port of the metrics server when only an address is given.
pub const DEFAULT_METRICS_PORT: u16 = 10249;
/// Where the control socket is unless the operator says otherwise.
pub const DEFAULT_CONTROL_SOCKET: &str = "/run/portolan/control.sock";
/// The bit of the packet mark that asks for masquerading, unless the operator chooses
/// another. The same as kube-proxy's.
pub const DEFAULT_MASQUERADE_BIT: u8 = 14;
/// The scheduler of IPVS, unless the operator or a Service chooses another. The same as
/// kube-proxy's.
pub const DEFAULT_IPVS_SCHEDULER: &str = "rr";
/// The bit of the packet mark and the connection mark of what IPVS has, unless the operator
/// chooses another.
pub const DEFAULT_IPVS_MARK_BIT: u8 = 13;
/// For how long connections may stay where no new ones go, unless the operator chooses
/// otherwise.
pub const DEFAULT_DRAIN: Duration = Duration::from_secs(15 * 60);
/// The range that NodePorts are taken from, both ends included: kube-apiserver's default
/// of `--service-node-port-range`.
pub const DEFAULT_NODE_PORT_RANGE: (u16, u16) = (30_000, 32_767);

/// Everything the operator decides, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The name of this node, as EndpointSlices and topology hints write it.
    pub node_name: String,
    /// Where Services and EndpointSlices come from.
    pub source: SourceConfig,
    /// What programs the kernel.
    pub backend: BackendKind,
    /// Options of the nftables backend.
    pub nftables: NftablesConfig,
    /// Options of the IPVS backend.
    pub ipvs: IpvsConfig,
    /// Which addresses of this node take NodePorts.
    pub node_ports: NodePortSelection,
    /// The range that the API server takes NodePorts from, both ends included.
    pub node_port_range: (u16, u16),
    /// Whether NodePorts are served on 127.0.0.0/8 and `::1`, to processes of this node.
    pub localhost_node_ports: bool,
    /// How connections of local pods are recognised.
    pub local_pods: LocalPodDetection,
    /// Where the health server listens; `None` switches it off.
    pub healthz: Option<SocketAddr>,
    /// Where the metrics server listens; `None` switches it off.
    pub metrics: Option<SocketAddr>,
    /// The control socket; `None` switches it off.
    pub control_socket: Option<PathBuf>,
    /// How long the first sync waits for what a cluster may not have.
    pub patience: Patience,
}

/// How long the first sync waits, once all Services and EndpointSlices are known, for
/// what a cluster may not have. A sync without them would take out of the kernel what an
/// earlier run put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// For this node's object.
    pub node: Duration,
    /// For the ServiceCIDRs.
    pub service_cidrs: Duration,
}

/// Where Services and EndpointSlices come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceConfig {
    /// A directory of YAML or JSON files.
    Directory(PathBuf),
    /// The Kubernetes API.
    Kube {
        /// Credentials and address; `None` means in-cluster configuration.
        kubeconfig: Option<PathBuf>,
        /// Overrides the address of the API server.
        master: Option<String>,
        /// The name that the server's certificate must have, if not the host of the
        /// address.
        tls_server_name: Option<String>,
    },
}

/// What programs the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// nf_tables alone.
    #[default]
    Nftables,
    /// IPVS, behind a table of nf_tables.
    Ipvs,
}

impl BackendKind {
    /// What operators call it.
    pub const fn name(self) -> &'static str {
        match self {
            BackendKind::Nftables => "nftables",
            BackendKind::Ipvs => "ipvs",
        }
    }
}

/// Options of the IPVS backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpvsConfig {
    /// The scheduler of Services that do not choose one.
    pub scheduler: String,
    /// The bit of the packet mark and the connection mark of what IPVS has, 0 to 31.
    pub mark_bit: u8,
    /// How long silent connections are kept, in seconds: established ones of TCP, those
    /// after a FIN, flows of UDP. Zero leaves the kernel's own.
    pub timeouts: [u32; 3],
    /// For how long connections may stay where no new ones go.
    pub drain_for: Duration,
}

/// Options of the nftables backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NftablesConfig {
    /// Masquerade every connection to a ClusterIP.
    pub masquerade_all: bool,
    /// The bit of the packet mark that asks for masquerading, 0 to 31.
    pub masquerade_bit: u8,
}

/// Which addresses of this node take NodePorts (`--nodeport-addresses`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NodePortSelection {
    /// The addresses that the Node object names.
    #[default]
    Primary,
    /// The addresses of this machine's interfaces in these networks. A family without a
    /// network, or with one of length zero, takes every address.
    Networks(Vec<IpNet>),
}

/// How connections of local pods are recognised (`--detect-local-mode`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LocalPodDetection {
    /// By the cluster's pod networks, at most one of each family.
    ClusterCidr(Vec<IpNet>),
    /// By this node's pod networks, which the Node object names.
    NodeCidr,
    /// By the name of the bridge that local pods are attached to.
    BridgeInterface(String),
    /// By the first characters of the names of the interfaces towards local pods.
    InterfaceNamePrefix(String),
}

impl Config {
    /// Whether NodePorts or the detection of local pods rely on this node's object.
    pub fn relies_on_node(&self) -> bool {
        self.node_ports == NodePortSelection::Primary
            || self.local_pods == LocalPodDetection::NodeCidr
    }

    /// What is allowed but probably not meant, one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.local_pods == LocalPodDetection::ClusterCidr(Vec::new()) {
            warnings.push(
                "neither --cluster-cidr nor another --detect-local-mode: connections from outside \
                 the cluster to a ClusterIP are not masqueraded, and pods are treated like outside \
                 clients. --cluster-cidr names the pod networks; --detect-local-mode NodeCIDR \
                 takes those of the Node object"
                    .to_owned(),
            );
        }
        if let NodePortSelection::Networks(networks) = &self.node_ports {
            for family in Family::BOTH {
                if !networks.iter().any(|network| Family::of_net(network) == family) {
                    warnings.push(format!(
                        "--nodeport-addresses names no {family} network: NodePorts are served on \
                         every {family} address of this node"
                    ));
                }
            }
            let unserved =
                |network: &&IpNet| network.addr().is_loopback() && !self.localhost_node_ports;
            for network in networks.iter().filter(unserved) {
                warnings.push(format!(
                    "--nodeport-addresses names {network}: NodePorts are not served on loopback \
                     addresses without --localhost-nodeports"
                ));
            }
        }
        warnings
    }
}
