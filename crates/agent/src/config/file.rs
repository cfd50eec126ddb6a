//! The configuration file: our own kind, and what kube-proxy's kind has in common with it.

mod document;

use std::fs;
use std::path::Path;

use self::document::Document;
use super::suggest::hint;
use super::{ConfigError, Settings};

/// A configuration file, read but not checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigFile {
    /// What it sets.
    pub settings: Settings,
    /// What it says that has no effect here, one sentence each.
    pub warnings: Vec<String>,
}

/// Reads a YAML or JSON file.
///
/// Our own kind, `portolan/v1alpha1 PortolanConfiguration`, refuses unknown keys.
/// `kubeproxy.config.k8s.io/v1alpha1 KubeProxyConfiguration` is read so that a cluster's
/// existing ConfigMap works: keys that mean the same here are used, the others are named
/// in a warning.
pub fn read_file(path: &Path) -> Result<ConfigFile, ConfigError> {
    parse(&read_text(path)?, path)
}

/// What is in a file.
pub(super) fn read_text(path: &Path) -> Result<String, ConfigError> {
    fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

/// As [`read_file`], from a text that `path` only names in errors.
pub fn parse(text: &str, path: &Path) -> Result<ConfigFile, ConfigError> {
    let mut document = Document::parse(text, path)?;
    let api_version = document.text("apiVersion")?.unwrap_or_default();
    let kind = document.text("kind")?.unwrap_or_default();
    match (api_version.as_str(), kind.as_str()) {
        ("portolan/v1alpha1", "PortolanConfiguration") => own_kind(document),
        ("kubeproxy.config.k8s.io/v1alpha1", "KubeProxyConfiguration") => kube_proxy(document),
        _ => Err(ConfigError::Kind { path: path.to_owned(), api_version, kind }),
    }
}

fn own_kind(mut document: Document) -> Result<ConfigFile, ConfigError> {
    let settings = Settings {
        node_name: document.given("nodeName", Document::text)?,
        source: document.given("source", Document::text)?,
        master: document.given("clientConnection.master", Document::text)?,
        tls_server_name: document.given("clientConnection.tlsServerName", Document::text)?,
        backend: document.given("backend", Document::text)?,
        node_port_range: document.given("serviceNodePortRange", Document::text)?,
        ipvs_mark_bit: document.given("ipvs.markBit", Document::number)?,
        drain_timeout: document.given("drainTimeout", Document::text)?,
        localhost_node_ports: document.given("localhostNodePorts", Document::boolean)?,
        healthz_bind_address: document.given("healthzBindAddress", Document::text)?,
        control_socket: document.given("controlSocket", Document::text)?,
        ..common(&mut document)?
    };
    document.check_parents()?;
    match document.unknown().next() {
        None => Ok(ConfigFile { settings, warnings: Vec::new() }),
        Some(key) => Err(ConfigError::UnknownKey {
            path: document.path().to_owned(),
            key: key.to_owned(),
            hint: hint(key, document.known()),
        }),
    }
}

/// kube-proxy writes every key, empty where it was not set: an empty value means the
/// default.
fn kube_proxy(mut document: Document) -> Result<ConfigFile, ConfigError> {
    document.forget_empty();
    let settings = Settings {
        node_name: document.given("hostnameOverride", Document::text)?,
        backend: document.given("mode", Document::text)?,
        localhost_node_ports: document.given("iptables.localhostNodePorts", Document::boolean)?,
        healthz_bind_address: document.given("healthzBindAddress", Document::text)?,
        ..common(&mut document)?
    };
    let mut warnings = without_object(&mut document)?;
    document.check_parents()?;
    let ignored: Vec<String> =
        document.unknown().map(|key| format!("{key}{}", hint(key, document.known()))).collect();
    if !ignored.is_empty() {
        warnings.push(format!(
            "{} has keys of kube-proxy that have no effect here: {}",
            document.path().display(),
            ignored.join(", ")
        ));
    }
    Ok(ConfigFile { settings, warnings })
}

/// Settings of kube-proxy's IPVS mode for what does not happen here. Said only where they
/// are set, since kube-proxy writes every key.
fn without_object(document: &mut Document) -> Result<Vec<String>, ConfigError> {
    let strict_arp = document.given("ipvs.strictARP", Document::boolean)?;
    let exclude_cidrs = document.given("ipvs.excludeCIDRs", Document::list)?;
    let strict_arp = strict_arp.filter(|given| given.value).map(|given| {
        let why = "no address of a Service is bound to the node, which could answer ARP for it";
        format!("{} has no effect: {why}", given.by)
    });
    let exclude_cidrs = exclude_cidrs.map(|given| {
        let why = "virtual servers that Portolan did not make are always left alone";
        format!("{} has no effect: {why}", given.by)
    });
    Ok(strict_arp.into_iter().chain(exclude_cidrs).collect())
}

/// The keys that both kinds have, by the same names and with the same meaning.
fn common(document: &mut Document) -> Result<Settings, ConfigError> {
    Ok(Settings {
        kubeconfig: document.given("clientConnection.kubeconfig", Document::text)?,
        cluster_cidr: document.given("clusterCIDR", Document::text)?,
        node_port_addresses: document.given("nodePortAddresses", Document::list)?,
        detect_local_mode: document.given("detectLocalMode", Document::text)?,
        pod_bridge_interface: document.given("detectLocal.bridgeInterface", Document::text)?,
        pod_interface_name_prefix: document
            .given("detectLocal.interfaceNamePrefix", Document::text)?,
        metrics_bind_address: document.given("metricsBindAddress", Document::text)?,
        masquerade_all: document.given("nftables.masqueradeAll", Document::boolean)?,
        masquerade_bit: document.given("nftables.masqueradeBit", Document::number)?,
        ipvs_scheduler: document.given("ipvs.scheduler", Document::text)?,
        ipvs_tcp_timeout: document.given("ipvs.tcpTimeout", Document::text)?,
        ipvs_tcp_fin_timeout: document.given("ipvs.tcpFinTimeout", Document::text)?,
        ipvs_udp_timeout: document.given("ipvs.udpTimeout", Document::text)?,
        ..Settings::default()
    })
}
