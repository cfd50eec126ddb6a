//! What is accepted, and what is said about the rest.

mod bad_values;
mod files;

use std::path::Path;

use super::*;

fn flags() -> Settings {
    Settings { node_name: given("node-a", "--node-name"), ..Settings::default() }
}

fn given<T>(value: impl Into<T>, by: &str) -> Option<Given<T>> {
    Some(Given::new(value.into(), by))
}

fn list(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

fn networks(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn own(keys: &str) -> Result<ConfigFile, ConfigError> {
    let head = "apiVersion: portolan/v1alpha1\nkind: PortolanConfiguration\n";
    parse(&format!("{head}{keys}"), Path::new("portolan.yaml"))
}

fn kube_proxy(keys: &str) -> Result<ConfigFile, ConfigError> {
    let head = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n";
    parse(&format!("{head}{keys}"), Path::new("config.conf"))
}

/// An error with its sources, as the operator reads it.
fn told(error: &ConfigError) -> String {
    crate::error::chain(error)
}

#[test]
fn without_any_setting_the_defaults_are_those_of_kube_proxy_in_nftables_mode() {
    let config = flags().resolve().unwrap();
    assert_eq!(config.backend, BackendKind::Nftables);
    assert_eq!(
        config.source,
        SourceConfig::Kube { kubeconfig: None, master: None, tls_server_name: None }
    );
    assert_eq!(config.node_ports, NodePortSelection::Primary);
    assert_eq!(config.node_port_range, (30_000, 32_767));
    assert!(!config.localhost_node_ports);
    assert_eq!(config.local_pods, LocalPodDetection::ClusterCidr(Vec::new()));
    assert_eq!(config.healthz, Some("0.0.0.0:10256".parse().unwrap()));
    assert_eq!(config.metrics, Some("127.0.0.1:10249".parse().unwrap()));
    assert_eq!(config.nftables, NftablesConfig { masquerade_all: false, masquerade_bit: 14 });
    assert_eq!(config.control_socket.as_deref(), Some(Path::new("/run/portolan/control.sock")));
}

#[test]
fn flags_for_the_api_server_are_refused_beside_a_directory() {
    let source = given("dir:/srv", "--source");
    for (flag, settings) in [
        ("--kubeconfig", Settings { kubeconfig: given("/k", "--kubeconfig"), ..flags() }),
        ("--master", Settings { master: given("https://a", "--master"), ..flags() }),
    ] {
        let error = Settings { source: source.clone(), ..settings.clone() }.resolve().unwrap_err();
        let text = format!("{flag} has no effect with --source dir:/srv: leave one of them out");
        assert_eq!(told(&error), text);
        assert!(settings.resolve().is_ok());
    }
    let file = kube_proxy("clientConnection: {kubeconfig: /k}\n").unwrap().settings;
    let config = Settings { source, ..flags() }.or(file).resolve().unwrap();
    assert_eq!(config.source, SourceConfig::Directory("/srv".into()), "it is kube-proxy's");
}

#[test]
fn a_directory_without_its_prefix_is_recognised() {
    let told = |source: &str| {
        let settings = Settings { source: given(source, "--source"), ..flags() };
        told(&settings.resolve().unwrap_err())
    };
    for path in ["examples/cluster", "./cluster", "/srv/cluster", "src"] {
        let text = told(path);
        assert!(text.contains(&format!("(did you mean dir:{path}?)")), "{text}");
    }
    for other in ["kub", "file:/srv/cluster"] {
        assert!(!told(other).contains("did you mean"), "{other}");
    }
}

#[test]
fn flags_win_over_the_file_key_by_key() {
    let file = own("nodeName: from-file\nclusterCIDR: 10.1.0.0/16\nhealthzBindAddress: '::'\n")
        .unwrap()
        .settings;
    let flags = Settings {
        node_name: given("from-flag", "--node-name"),
        healthz_bind_address: given("", "--healthz-bind-address"),
        ..Settings::default()
    };
    let config = flags.or(file).resolve().unwrap();
    assert_eq!(config.node_name, "from-flag");
    assert_eq!(config.healthz, None);
    assert_eq!(config.local_pods, LocalPodDetection::ClusterCidr(networks(&["10.1.0.0/16"])));
}

#[test]
fn values_are_forgiving_where_only_one_meaning_is_possible() {
    let with = |settings: Settings| flags().or(settings).resolve().unwrap();
    for (text, address) in [
        ("10.0.0.1", Some("10.0.0.1:10256")),
        ("::1", Some("[::1]:10256")),
        ("[::1]", Some("[::1]:10256")),
        ("[::]:80", Some("[::]:80")),
        (" 10.0.0.1:65535 ", Some("10.0.0.1:65535")),
        ("", None),
    ] {
        let settings =
            Settings { healthz_bind_address: given(text, "flag"), ..Settings::default() };
        let address = address.map(|address| address.parse().unwrap());
        assert_eq!(with(settings).healthz, address, "{text:?}");
    }
    for (items, selection) in [
        (vec![], NodePortSelection::Primary),
        (vec!["primary"], NodePortSelection::Primary),
        (vec!["10.0.0.0/8, ::/0", "1.2.3.4/32"], {
            NodePortSelection::Networks(networks(&["10.0.0.0/8", "::/0", "1.2.3.4/32"]))
        }),
    ] {
        let settings =
            Settings { node_port_addresses: given(list(&items), "flag"), ..Settings::default() };
        assert_eq!(with(settings).node_ports, selection, "{items:?}");
    }
}

#[test]
fn a_blank_node_name_is_refused_and_a_missing_one_asked_for() {
    let blank = Settings { node_name: given(" ", "--hostname-override"), ..Settings::default() };
    assert!(told(&blank.resolve().unwrap_err()).starts_with("--hostname-override: "));
    for name in ["a b", "worker_1", "-a", "a-", "a..b", ".a", "a.", "w\u{f6}rker", "a/b", "a\n\"b"]
    {
        let settings = Settings { node_name: given(name, "--node-name"), ..Settings::default() };
        let error = told(&settings.resolve().expect_err(name));
        assert!(
            error.starts_with("--node-name: ") && error.contains("no name of a node"),
            "{error}"
        );
    }
    let long = "a".repeat(254);
    let long = Settings { node_name: given(long, "--node-name"), ..Settings::default() };
    assert!(told(&long.resolve().unwrap_err()).contains("253 bytes"));
    for name in [" Worker-1.Example.ORG ", "7", "10-0-0-1.ec2.internal"] {
        let settings = Settings { node_name: given(name, "--node-name"), ..Settings::default() };
        assert_eq!(settings.resolve().unwrap().node_name, name.trim().to_lowercase());
    }
    let missing = told(&Settings::default().resolve().unwrap_err());
    assert!(missing.contains("--node-name NAME"), "{missing}");
}

#[test]
fn settings_that_are_allowed_but_hardly_meant_are_warned_about() {
    let warnings = |cidr: Option<&str>, node_ports: &[&str]| {
        let settings = Settings {
            cluster_cidr: cidr.and_then(|cidr| given(cidr, "--cluster-cidr")),
            node_port_addresses: given(list(node_ports), "--nodeport-addresses"),
            ..flags()
        };
        settings.resolve().unwrap().warnings()
    };
    assert_eq!(warnings(Some("10.0.0.0/8"), &["primary"]), Vec::<String>::new());
    let [unknown_pods] = &warnings(None, &["primary"])[..] else { panic!("one warning") };
    for option in ["--cluster-cidr", "--detect-local-mode NodeCIDR"] {
        assert!(unknown_pods.contains(option), "{unknown_pods}");
    }
    let one_family = warnings(Some("10.0.0.0/8"), &["192.0.2.0/24"]);
    assert!(one_family[0].contains("names no IPv6 network"), "{one_family:?}");
    let loopback = warnings(Some("10.0.0.0/8"), &["127.0.0.0/8", "::/0"]);
    assert!(loopback[0].contains("not served on loopback"), "{loopback:?}");
    let served = Settings {
        cluster_cidr: given("10.0.0.0/8", "flag"),
        node_port_addresses: given(list(&["127.0.0.0/8", "::1/128"]), "flag"),
        localhost_node_ports: given(true, "flag"),
        ..flags()
    };
    assert_eq!(served.resolve().unwrap().warnings(), Vec::<String>::new());
}

#[test]
fn the_first_sync_waits_long_only_for_a_node_that_matters() {
    let wait = |source: &str, node_ports: &[&str], mode: &str| {
        let settings = Settings {
            source: given(source, "--source"),
            node_port_addresses: given(list(node_ports), "--nodeport-addresses"),
            detect_local_mode: given(mode, "--detect-local-mode"),
            ..flags()
        };
        settings.resolve().unwrap().patience.node.as_secs()
    };
    assert_eq!(wait("kube", &["primary"], "ClusterCIDR"), 30);
    assert_eq!(wait("kube", &["192.0.2.0/24"], "NodeCIDR"), 30);
    assert_eq!(wait("kube", &["192.0.2.0/24"], "ClusterCIDR"), 2);
    assert_eq!(wait("dir:/srv", &["primary"], "NodeCIDR"), 0);
}
