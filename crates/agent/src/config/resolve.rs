//! From settings as they were written to a configuration that is checked.

use std::net::SocketAddr;
use std::time::Duration;

use super::{
    BackendKind, Config, ConfigError, DEFAULT_CONTROL_SOCKET, DEFAULT_DRAIN, DEFAULT_HEALTHZ_PORT,
    DEFAULT_IPVS_MARK_BIT, DEFAULT_IPVS_SCHEDULER, DEFAULT_MASQUERADE_BIT, DEFAULT_METRICS_PORT,
    DEFAULT_NODE_PORT_RANGE, Given, IpvsConfig, LocalPodDetection, NftablesConfig,
    NodePortSelection, Patience, Settings, SourceConfig, values,
};

/// How long the first sync waits for objects without which little is missing.
const SHORT_WAIT: Duration = Duration::from_secs(2);
/// The same for a Node that NodePorts or the detection of local pods rely on.
const LONG_WAIT: Duration = Duration::from_secs(30);

impl Settings {
    /// Checks every setting and fills in the defaults.
    pub fn resolve(self) -> Result<Config, ConfigError> {
        let source = self.source_config()?;
        let mut config = Config {
            node_name: self.node_name()?,
            backend: self.backend_kind()?,
            nftables: self.nftables_config()?,
            ipvs: self.ipvs_config()?,
            node_ports: self.node_port_selection()?,
            node_port_range: match &self.node_port_range {
                Some(given) => given.parse("30000-32767", |text| values::port_range(text))?,
                None => DEFAULT_NODE_PORT_RANGE,
            },
            localhost_node_ports: self.localhost_node_ports.as_ref().is_some_and(|it| it.value),
            local_pods: self.local_pod_detection()?,
            healthz: bind_address(
                &self.healthz_bind_address,
                ([0, 0, 0, 0], DEFAULT_HEALTHZ_PORT).into(),
                "0.0.0.0:10256",
            )?,
            metrics: bind_address(
                &self.metrics_bind_address,
                ([127, 0, 0, 1], DEFAULT_METRICS_PORT).into(),
                "127.0.0.1:10249",
            )?,
            control_socket: match self.control_socket {
                Some(given) => Some(given.value).filter(|path| !path.is_empty()),
                None => Some(DEFAULT_CONTROL_SOCKET.to_owned()),
            }
            .map(Into::into),
            patience: Patience { node: Duration::ZERO, service_cidrs: SHORT_WAIT },
            source,
        };
        config.patience.node = match &config.source {
            // The ServiceCIDRs are the last that a directory says, after the Node.
            SourceConfig::Directory(_) => Duration::ZERO,
            SourceConfig::Kube { .. } if config.relies_on_node() => LONG_WAIT,
            SourceConfig::Kube { .. } => SHORT_WAIT,
        };
        Ok(config)
    }

    fn node_name(&self) -> Result<String, ConfigError> {
        let Some(given) = &self.node_name else {
            return Err(ConfigError::Missing {
                what: "the name of this node",
                how: "--node-name NAME (file: nodeName), for example --node-name worker-1",
            });
        };
        given.parse("worker-1", |text| values::node_name(text))
    }

    fn source_config(&self) -> Result<SourceConfig, ConfigError> {
        let directory = match &self.source {
            Some(given) => {
                given.parse("kube, or dir:/etc/portolan/services", |text| values::source(text))?
            }
            None => None,
        };
        if let (Some(given), Some(_)) = (&self.source, &directory) {
            self.refuse_flags_for_the_api(given)?;
        }
        Ok(match directory {
            Some(path) => SourceConfig::Directory(path),
            None => SourceConfig::Kube {
                kubeconfig: not_empty(&self.kubeconfig).map(Into::into),
                master: not_empty(&self.master),
                tls_server_name: not_empty(&self.tls_server_name),
            },
        })
    }

    /// Those of a file may be meant for another agent, or for kube-proxy.
    fn refuse_flags_for_the_api(&self, source: &Given<String>) -> Result<(), ConfigError> {
        let others = [&self.kubeconfig, &self.master, &self.tls_server_name];
        let is_flag =
            |given: &&Given<String>| given.by.starts_with("--") && !given.value.trim().is_empty();
        match others.into_iter().flatten().find(is_flag) {
            None => Ok(()),
            Some(given) => Err(ConfigError::NoEffect {
                flag: given.by.clone(),
                beside: format!("{} {}", source.by, source.value),
            }),
        }
    }

    fn backend_kind(&self) -> Result<BackendKind, ConfigError> {
        match &self.backend {
            Some(given) if given.by.starts_with("mode in ") => given
                .parse("nftables; or pass --backend nftables, which wins over the file", |text| {
                    values::backend(text)
                }),
            Some(given) => given.parse("nftables", |text| values::backend(text)),
            None => Ok(BackendKind::default()),
        }
    }

    fn nftables_config(&self) -> Result<NftablesConfig, ConfigError> {
        Ok(NftablesConfig {
            masquerade_all: self.masquerade_all.as_ref().is_some_and(|given| given.value),
            masquerade_bit: match &self.masquerade_bit {
                Some(given) => given.parse("14", |bit| values::masquerade_bit(*bit))?,
                None => DEFAULT_MASQUERADE_BIT,
            },
        })
    }

    fn ipvs_config(&self) -> Result<IpvsConfig, ConfigError> {
        let seconds = |given: &Option<Given<String>>| match given {
            Some(given) => given.parse("15m", |text| values::seconds(text)),
            None => Ok(0),
        };
        let drain = seconds(&self.drain_timeout)?;
        Ok(IpvsConfig {
            scheduler: match &self.ipvs_scheduler {
                Some(given) => given.parse("rr", |text| values::scheduler(text))?,
                None => DEFAULT_IPVS_SCHEDULER.to_owned(),
            },
            mark_bit: match &self.ipvs_mark_bit {
                Some(given) => given.parse("13", |bit| values::masquerade_bit(*bit))?,
                None => DEFAULT_IPVS_MARK_BIT,
            },
            timeouts: [
                seconds(&self.ipvs_tcp_timeout)?,
                seconds(&self.ipvs_tcp_fin_timeout)?,
                seconds(&self.ipvs_udp_timeout)?,
            ],
            drain_for: match &self.drain_timeout {
                Some(_) => Duration::from_secs(drain.into()),
                None => DEFAULT_DRAIN,
            },
        })
    }

    fn node_port_selection(&self) -> Result<NodePortSelection, ConfigError> {
        match &self.node_port_addresses {
            Some(given) => given.parse("primary, or 192.0.2.0/24,2001:db8::/64", |items| {
                values::node_port_selection(items)
            }),
            None => Ok(NodePortSelection::default()),
        }
    }

    fn local_pod_detection(&self) -> Result<LocalPodDetection, ConfigError> {
        let mode = match &self.detect_local_mode {
            Some(given) => given.parse("ClusterCIDR", |text| values::detect_local_mode(text))?,
            None => values::DetectLocalMode::ClusterCidr,
        };
        match mode {
            values::DetectLocalMode::ClusterCidr => match &self.cluster_cidr {
                Some(given) => given
                    .parse("10.244.0.0/16,fd00:10:244::/56", |text| values::cluster_cidr(text))
                    .map(LocalPodDetection::ClusterCidr),
                None => Ok(LocalPodDetection::ClusterCidr(Vec::new())),
            },
            values::DetectLocalMode::NodeCidr => Ok(LocalPodDetection::NodeCidr),
            values::DetectLocalMode::BridgeInterface => interface(
                &self.pod_bridge_interface,
                "cni0",
                "the bridge of the local pods, which --detect-local-mode BridgeInterface needs,",
                "--pod-bridge-interface NAME (file: detectLocal.bridgeInterface), for example cni0",
            )
            .map(LocalPodDetection::BridgeInterface),
            values::DetectLocalMode::InterfaceNamePrefix => interface(
                &self.pod_interface_name_prefix,
                "veth",
                "the interface prefix of the local pods, which --detect-local-mode \
                 InterfaceNamePrefix needs,",
                "--pod-interface-name-prefix PREFIX (file: detectLocal.interfaceNamePrefix), for \
                 example veth",
            )
            .map(LocalPodDetection::InterfaceNamePrefix),
        }
    }
}

fn bind_address(
    given: &Option<Given<String>>,
    default: SocketAddr,
    example: &'static str,
) -> Result<Option<SocketAddr>, ConfigError> {
    match given {
        Some(given) => given.parse(example, |text| values::bind_address(text, default.port())),
        None => Ok(Some(default)),
    }
}

fn not_empty(given: &Option<Given<String>>) -> Option<String> {
    given.as_ref().map(|given| given.value.trim().to_owned()).filter(|text| !text.is_empty())
}

fn interface(
    given: &Option<Given<String>>,
    example: &'static str,
    what: &'static str,
    how: &'static str,
) -> Result<String, ConfigError> {
    match given {
        Some(given) if !given.value.trim().is_empty() => {
            given.parse(example, |text| values::interface_name(text))
        }
        _ => Err(ConfigError::Missing { what, how }),
    }
}
