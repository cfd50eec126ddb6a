//! What `run`, `render` and `explain` need to know about the node.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use portolan_agent::Config;
use portolan_agent::config::{BackendKind, Given, Layers, Loaded, Settings};
use portolan_ipvs::{IpvsOptions, Timeouts};
use portolan_nft::{Ipvs, NftOptions};

#[derive(Debug, Default, PartialEq, Args)]
#[command(next_help_heading = "Node")]
pub(crate) struct NodeArguments {
    /// Configuration file: a PortolanConfiguration, or the KubeProxyConfiguration of the
    /// cluster. Flags win over it. While the agent runs, it changes to another `backend` (or
    /// `mode`) in the file as `portolan switch` does; the other keys count from the next start
    /// on
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Name of this node, as EndpointSlices write it [default: the environment variable
    /// NODE_NAME, else the host name in lower case]
    #[arg(long, visible_alias = "hostname-override", value_name = "NAME")]
    node_name: Option<String>,

    /// Networks of the cluster's pods: one, or one of each family separated by a comma
    #[arg(long, value_name = "CIDRS")]
    cluster_cidr: Option<String>,

    /// Node addresses that take NodePorts: `primary` for those of the Node object, or
    /// networks, separated by commas, that they have to be in. A family without a
    /// network takes all [default: primary]
    #[arg(long, value_name = "CIDRS", value_delimiter = ',')]
    nodeport_addresses: Option<Vec<String>>,

    /// Range that the API server takes NodePorts from, as its own option of this name says.
    /// Masqueraded connections get source ports outside of it [default: 30000-32767]
    #[arg(long, value_name = "LOW-HIGH")]
    service_node_port_range: Option<String>,

    /// Serve NodePorts on 127.0.0.0/8 and ::1 too, to processes of this node [default:
    /// off]. Sets the kernel's net.ipv4.conf.all.route_localnet to 1: from then on only
    /// rules of this agent keep the network away from what listens on 127.0.0.1. It is
    /// never set back: set it to 0 before you take this option back or remove the rules.
    /// On ::1, which rules cannot serve, the agent listens itself for TCP and UDP, not for
    /// SCTP, and relays up to 1024 connections and 1024 flows, which end with the agent
    #[arg(long, visible_alias = "iptables-localhost-nodeports", value_name = "BOOL",
          num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    localhost_nodeports: Option<bool>,

    /// How connections of pods are recognised: ClusterCIDR, NodeCIDR, BridgeInterface or
    /// InterfaceNamePrefix [default: ClusterCIDR]
    #[arg(long, value_name = "MODE")]
    detect_local_mode: Option<String>,

    /// The bridge that local pods are attached to, for the mode BridgeInterface
    #[arg(long, value_name = "NAME")]
    pod_bridge_interface: Option<String>,

    /// How the names of the interfaces towards local pods begin, for the mode
    /// InterfaceNamePrefix
    #[arg(long, value_name = "PREFIX")]
    pod_interface_name_prefix: Option<String>,

    /// Masquerade every connection to a ClusterIP
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    masquerade_all: Option<bool>,

    /// The bit of the packet mark, 0 to 31, that asks for masquerading [default: 14]
    #[arg(long, value_name = "BIT")]
    masquerade_bit: Option<u64>,

    /// The bit of the packet mark and of the connection mark, 0 to 31, of what IPVS has
    /// [default: 13]
    #[arg(long, value_name = "BIT")]
    ipvs_mark_bit: Option<u64>,
}

/// The value of a flag, for error texts.
pub(crate) fn given<T: Clone>(value: &Option<T>, flag: &str) -> Option<Given<T>> {
    value.clone().map(|value| Given::new(value, flag))
}

impl NodeArguments {
    /// Whether any of them is given.
    pub(crate) fn are_given(&self) -> bool {
        *self != NodeArguments::default()
    }

    fn settings(&self) -> Settings {
        Settings {
            node_name: given(&self.node_name, "--node-name"),
            cluster_cidr: given(&self.cluster_cidr, "--cluster-cidr"),
            node_port_addresses: given(&self.nodeport_addresses, "--nodeport-addresses"),
            node_port_range: given(&self.service_node_port_range, "--service-node-port-range"),
            localhost_node_ports: given(&self.localhost_nodeports, "--localhost-nodeports"),
            detect_local_mode: given(&self.detect_local_mode, "--detect-local-mode"),
            pod_bridge_interface: given(&self.pod_bridge_interface, "--pod-bridge-interface"),
            pod_interface_name_prefix: given(
                &self.pod_interface_name_prefix,
                "--pod-interface-name-prefix",
            ),
            masquerade_all: given(&self.masquerade_all, "--masquerade-all"),
            masquerade_bit: given(&self.masquerade_bit, "--masquerade-bit"),
            ipvs_mark_bit: given(&self.ipvs_mark_bit, "--ipvs-mark-bit"),
            ..Settings::default()
        }
    }

    /// These flags and `others`, then the file, then what the machine says.
    pub(crate) fn load(&self, others: Settings) -> anyhow::Result<Loaded> {
        let flags = self.settings().or(others);
        Ok(Layers { flags, file: self.config.clone(), machine: machine()? }.load()?)
    }
}

/// The name of this node, if nobody gave it.
fn machine() -> anyhow::Result<Settings> {
    let variable = std::env::var("NODE_NAME").ok().filter(|name| !name.is_empty());
    let node_name = match variable {
        Some(name) => Given::new(name, "the environment variable NODE_NAME"),
        None => {
            let name = nix::unistd::gethostname().context("cannot read the host name")?;
            Given::new(
                name.to_string_lossy().into_owned(),
                "the host name, which names the node without --node-name",
            )
        }
    };
    Ok(Settings { node_name: Some(node_name), ..Settings::default() })
}

/// The options of the nftables backend.
pub(crate) fn nft_options(config: &Config) -> NftOptions {
    NftOptions {
        masquerade_bit: config.nftables.masquerade_bit,
        masquerade_all: config.nftables.masquerade_all,
        node_port_range: config.node_port_range,
        ipvs_bit: config.ipvs.mark_bit,
        ipvs: match config.backend {
            BackendKind::Nftables => Ipvs::Unused,
            BackendKind::Ipvs => Ipvs::Serving,
        },
        ..NftOptions::default()
    }
}

/// The options of the IPVS backend.
pub(crate) fn ipvs_options(config: &Config) -> IpvsOptions {
    let [tcp, tcp_fin, udp] = config.ipvs.timeouts;
    IpvsOptions {
        scheduler: config.ipvs.scheduler.clone(),
        mark_bit: config.ipvs.mark_bit,
        timeouts: Timeouts { tcp, tcp_fin, udp },
        drain_for: config.ipvs.drain_for,
        ..IpvsOptions::default()
    }
}
