//! Settings as they were written, and who wrote them.

use super::ConfigError;
use super::values::Rejected;

/// A value and where it was given, for error texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given<T> {
    /// The value as written.
    pub value: T,
    /// The flag, e.g. `--cluster-cidr`; or the key and its file.
    pub by: String,
}

impl<T> Given<T> {
    /// A value given by a flag, a key or a variable of this name.
    pub fn new(value: T, by: impl Into<String>) -> Given<T> {
        Given { value, by: by.into() }
    }

    pub(super) fn parse<V>(
        &self,
        example: &'static str,
        parse: impl FnOnce(&T) -> Result<V, Rejected>,
    ) -> Result<V, ConfigError> {
        parse(&self.value).map_err(|Rejected(reason)| ConfigError::Value {
            by: self.by.clone(),
            reason,
            example,
        })
    }
}

/// Settings of one origin, unchecked. Nothing is set by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is the setting of the same name in Config")]
pub struct Settings {
    pub node_name: Option<Given<String>>,
    /// `kube` or `dir:PATH`.
    pub source: Option<Given<String>>,
    pub kubeconfig: Option<Given<String>>,
    pub master: Option<Given<String>>,
    pub tls_server_name: Option<Given<String>>,
    pub backend: Option<Given<String>>,
    /// Networks, separated by commas.
    pub cluster_cidr: Option<Given<String>>,
    pub node_port_addresses: Option<Given<Vec<String>>>,
    pub node_port_range: Option<Given<String>>,
    pub localhost_node_ports: Option<Given<bool>>,
    pub detect_local_mode: Option<Given<String>>,
    pub pod_bridge_interface: Option<Given<String>>,
    pub pod_interface_name_prefix: Option<Given<String>>,
    /// Empty switches the health server off.
    pub healthz_bind_address: Option<Given<String>>,
    /// Empty switches the metrics server off.
    pub metrics_bind_address: Option<Given<String>>,
    pub masquerade_all: Option<Given<bool>>,
    pub masquerade_bit: Option<Given<u64>>,
    pub ipvs_scheduler: Option<Given<String>>,
    pub ipvs_mark_bit: Option<Given<u64>>,
    /// `1h30m5s`, or the like.
    pub ipvs_tcp_timeout: Option<Given<String>>,
    pub ipvs_tcp_fin_timeout: Option<Given<String>>,
    pub ipvs_udp_timeout: Option<Given<String>>,
    pub drain_timeout: Option<Given<String>>,
    /// Empty switches the control socket off.
    pub control_socket: Option<Given<String>>,
}

impl Settings {
    /// These settings, and those of `other` where these say nothing.
    pub fn or(self, other: Settings) -> Settings {
        Settings {
            node_name: self.node_name.or(other.node_name),
            source: self.source.or(other.source),
            kubeconfig: self.kubeconfig.or(other.kubeconfig),
            master: self.master.or(other.master),
            tls_server_name: self.tls_server_name.or(other.tls_server_name),
            backend: self.backend.or(other.backend),
            cluster_cidr: self.cluster_cidr.or(other.cluster_cidr),
            node_port_addresses: self.node_port_addresses.or(other.node_port_addresses),
            node_port_range: self.node_port_range.or(other.node_port_range),
            localhost_node_ports: self.localhost_node_ports.or(other.localhost_node_ports),
            detect_local_mode: self.detect_local_mode.or(other.detect_local_mode),
            pod_bridge_interface: self.pod_bridge_interface.or(other.pod_bridge_interface),
            pod_interface_name_prefix: self
                .pod_interface_name_prefix
                .or(other.pod_interface_name_prefix),
            healthz_bind_address: self.healthz_bind_address.or(other.healthz_bind_address),
            metrics_bind_address: self.metrics_bind_address.or(other.metrics_bind_address),
            masquerade_all: self.masquerade_all.or(other.masquerade_all),
            masquerade_bit: self.masquerade_bit.or(other.masquerade_bit),
            ipvs_scheduler: self.ipvs_scheduler.or(other.ipvs_scheduler),
            ipvs_mark_bit: self.ipvs_mark_bit.or(other.ipvs_mark_bit),
            ipvs_tcp_timeout: self.ipvs_tcp_timeout.or(other.ipvs_tcp_timeout),
            ipvs_tcp_fin_timeout: self.ipvs_tcp_fin_timeout.or(other.ipvs_tcp_fin_timeout),
            ipvs_udp_timeout: self.ipvs_udp_timeout.or(other.ipvs_udp_timeout),
            drain_timeout: self.drain_timeout.or(other.drain_timeout),
            control_socket: self.control_socket.or(other.control_socket),
        }
    }
}
