//! Which settings are others than before.

use std::fmt::Debug;
use std::path::Path;

use super::{Given, Settings};

/// Who gave a setting, and what.
type Entry = Option<(String, String)>;

impl Settings {
    /// The keys of a file, other than that of the backend, whose values differ from `before`.
    /// What a flag wins over does not differ.
    pub(crate) fn keys_that_differ(&self, before: &Settings, file: &Path) -> Vec<String> {
        let suffix = format!(" in {}", file.display());
        let key = |entry: &Entry| {
            entry.as_ref().and_then(|(by, _)| by.strip_suffix(&suffix).map(str::to_owned))
        };
        let value = |entry: &Entry| entry.as_ref().map(|(_, value)| value.clone());
        self.entries()
            .into_iter()
            .zip(before.entries())
            .filter(|(now, before)| value(now) != value(before))
            .filter_map(|(now, before)| key(&now).or_else(|| key(&before)))
            .collect()
    }

    /// All but the backend, always in the same order.
    fn entries(&self) -> Vec<Entry> {
        // So that a new setting is not forgotten.
        let Settings {
            node_name,
            source,
            kubeconfig,
            master,
            tls_server_name,
            backend: _,
            cluster_cidr,
            node_port_addresses,
            node_port_range,
            localhost_node_ports,
            detect_local_mode,
            pod_bridge_interface,
            pod_interface_name_prefix,
            healthz_bind_address,
            metrics_bind_address,
            masquerade_all,
            masquerade_bit,
            ipvs_scheduler,
            ipvs_mark_bit,
            ipvs_tcp_timeout,
            ipvs_tcp_fin_timeout,
            ipvs_udp_timeout,
            drain_timeout,
            control_socket,
        } = self;
        let mut entries = vec![entry(node_port_addresses)];
        entries.extend([localhost_node_ports, masquerade_all].map(entry));
        entries.extend([masquerade_bit, ipvs_mark_bit].map(entry));
        let texts = [
            node_name,
            source,
            kubeconfig,
            master,
            tls_server_name,
            cluster_cidr,
            node_port_range,
            detect_local_mode,
            pod_bridge_interface,
            pod_interface_name_prefix,
            healthz_bind_address,
            metrics_bind_address,
            ipvs_scheduler,
            ipvs_tcp_timeout,
            ipvs_tcp_fin_timeout,
            ipvs_udp_timeout,
            drain_timeout,
            control_socket,
        ];
        entries.extend(texts.map(entry));
        entries
    }
}

fn entry<T: Debug>(given: &Option<Given<T>>) -> Entry {
    given.as_ref().map(|Given { value, by }| (by.clone(), format!("{value:?}")))
}
