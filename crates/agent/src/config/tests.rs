//! What is accepted, and what is said about the rest.

mod bad_values;

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
fn our_own_kind_sets_everything() {
    let file = own("nodeName: ' Worker-1 '\nsource: dir:/srv/services\nbackend: nftables\n\
         clientConnection: {kubeconfig: /etc/kubeconfig, master: 'https://10.0.0.1:6443'}\n\
         clusterCIDR: 10.244.1.2/16, fd00:10:244::/56\nnodePortAddresses: [192.0.2.0/24]\n\
         localhostNodePorts: true\nserviceNodePortRange: 20000-22767\ndetectLocalMode: ClusterCIDR\nhealthzBindAddress: '[::1]:9'\nmetricsBindAddress: 192.0.2.1\ncontrolSocket: /tmp/c\n\
         nftables: {masqueradeAll: true, masqueradeBit: 15}\n\
         ipvs: {scheduler: mh, markBit: 12, tcpTimeout: 1h30m, udpTimeout: 90s}\ndrainTimeout: 1m\n")
    .unwrap();
    assert_eq!(file.warnings, Vec::<String>::new());
    let config = file.settings.resolve().unwrap();
    assert_eq!(
        config,
        Config {
            node_name: "worker-1".to_owned(),
            source: SourceConfig::Directory("/srv/services".into()),
            backend: BackendKind::Nftables,
            nftables: NftablesConfig { masquerade_all: true, masquerade_bit: 15 },
            ipvs: IpvsConfig {
                scheduler: "mh".to_owned(),
                mark_bit: 12,
                timeouts: [5400, 0, 90],
                drain_for: Duration::from_secs(60),
            },
            node_ports: NodePortSelection::Networks(networks(&["192.0.2.0/24"])),
            node_port_range: (20_000, 22_767),
            localhost_node_ports: true,
            local_pods: LocalPodDetection::ClusterCidr(networks(&[
                "10.244.0.0/16",
                "fd00:10:244::/56"
            ])),
            healthz: Some("[::1]:9".parse().unwrap()),
            metrics: Some("192.0.2.1:10249".parse().unwrap()),
            control_socket: Some("/tmp/c".into()),
            patience: Patience { node: Duration::ZERO, service_cidrs: Duration::from_secs(2) },
        }
    );
}

#[test]
fn a_config_map_of_kube_proxy_works_and_says_what_it_ignores() {
    let file = kube_proxy(
        "hostnameOverride: ''\nmode: ''\nclusterCIDR: ''\nnodePortAddresses: null\n\
         healthzBindAddress: ''\nmetricsBindAddress: ''\nclientConnection: {kubeconfig: /var/lib/kubeconfig, qps: 5}\n\
         detectLocal: {bridgeInterface: '', interfaceNamePrefix: veth}\n\
         detectLocalMode: InterfaceNamePrefix\nconntrack: {min: null, maxPerCore: 1}\n\
         iptables: {masqueradeAll: true}\nnftables: {masqueradeAll: true, masqueradeBit: null}\n\
         nodePortAddreses: [10.0.0.0/8]\nwinkernel: {}\n",
    )
    .unwrap();
    assert_eq!(
        file.warnings,
        ["config.conf has keys of kube-proxy that have no effect here: \
          clientConnection.qps, conntrack.maxPerCore, \
          iptables.masqueradeAll (did you mean nftables.masqueradeAll?), \
          nodePortAddreses (did you mean nodePortAddresses?)"]
    );
    let config = flags().or(file.settings).resolve().unwrap();
    assert_eq!(config.local_pods, LocalPodDetection::InterfaceNamePrefix("veth".to_owned()));
    assert_eq!(config.healthz, Some("0.0.0.0:10256".parse().unwrap()));
    assert_eq!(config.metrics, Some("127.0.0.1:10249".parse().unwrap()), "empty is the default");
    assert!(config.nftables.masquerade_all);
    let kubeconfig = Some("/var/lib/kubeconfig".into());
    assert_eq!(
        config.source,
        SourceConfig::Kube { kubeconfig, master: None, tls_server_name: None }
    );
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
fn a_mode_of_kube_proxy_that_is_not_here_names_the_flag_that_wins() {
    let file = kube_proxy("mode: iptables\n").unwrap().settings;
    let error = told(&flags().or(file.clone()).resolve().unwrap_err());
    assert!(error.starts_with("mode in config.conf: there is no backend \"iptables\""), "{error}");
    assert!(error.contains("or pass --backend nftables"), "{error}");
    let flag = Settings { backend: given("nftables", "--backend"), ..flags() };
    assert_eq!(flag.or(file).resolve().unwrap().backend, BackendKind::Nftables);
}

#[test]
fn the_metrics_server_is_where_either_kind_of_file_says_and_off_if_ours_or_a_flag_says_nothing() {
    let config = |file: ConfigFile| flags().or(file.settings).resolve().unwrap().metrics;
    let everywhere = Some("0.0.0.0:10249".parse().unwrap());
    for kind in [own, kube_proxy] {
        let file = kind("metricsBindAddress: 0.0.0.0\n").unwrap();
        assert_eq!(file.warnings, Vec::<String>::new());
        assert_eq!(config(file), everywhere);
    }
    assert_eq!(config(own("metricsBindAddress: ''\n").unwrap()), None);
    let file = kube_proxy("metricsBindAddress: 0.0.0.0\n").unwrap().settings;
    let off = Settings { metrics_bind_address: given("", "--metrics-bind-address"), ..flags() };
    assert_eq!(off.or(file).resolve().unwrap().metrics, None);
}

#[test]
fn kube_proxys_key_for_node_ports_on_localhost_counts_only_if_it_has_a_value() {
    for (keys, expected) in [
        ("", false),
        ("iptables: {localhostNodePorts: null}\n", false),
        ("iptables: {localhostNodePorts: false}\n", false),
        ("iptables: {localhostNodePorts: true}\n", true),
    ] {
        let file = kube_proxy(keys).unwrap();
        assert_eq!(file.warnings, Vec::<String>::new(), "{keys}");
        let config = flags().or(file.settings).resolve().unwrap();
        assert_eq!(config.localhost_node_ports, expected, "{keys}");
    }
    let file = kube_proxy("iptables: {localhostNodePorts: true}\n").unwrap().settings;
    let off = Settings { localhost_node_ports: given(false, "flag"), ..flags() };
    assert!(!off.or(file).resolve().unwrap().localhost_node_ports, "a flag wins");
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
fn files_that_are_no_configuration_say_what_was_expected() {
    let cases = [
        ("", "expected keys and values at the top"),
        ("- a\n- b\n", "expected keys and values at the top"),
        ("a: [", "portolan.yaml is not a YAML document that can be read: "),
        ("kind: KubeProxyConfiguration\n", "apiVersion \"\" and kind \"KubeProxyConfiguration\""),
        ("apiVersion: v1\nkind: Service\n", "expected \"portolan/v1alpha1\""),
        ("kind: a\nkind: b\n", "line 2, column 1: duplicate"),
    ];
    for (text, expected) in cases {
        let error = parse(text, Path::new("portolan.yaml")).expect_err(text);
        assert!(told(&error).contains(expected), "{text:?}: {}", told(&error));
        for advice in ["Options", "Policy", "serde", "::"] {
            assert!(!told(&error).contains(advice), "for programmers: {}", told(&error));
        }
    }
    assert_eq!(own("nftables: {}\n").unwrap(), own("").unwrap());
    let missing = read_file(Path::new("/nowhere/portolan.yaml")).unwrap_err();
    assert!(told(&missing).contains("/nowhere/portolan.yaml: No such file"), "{}", told(&missing));
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

#[test]
fn settings_of_ipvs_mode_are_read_and_those_without_an_object_say_why_they_have_no_effect() {
    let file = kube_proxy(
        "mode: ipvs\nipvs: {scheduler: lc, strictARP: true, excludeCIDRs: [10.0.0.0/8], \
         tcpTimeout: 15m0s, tcpFinTimeout: 2m0s, udpTimeout: 0s}\n",
    )
    .unwrap();
    assert_eq!(
        file.warnings,
        [
            "ipvs.strictARP in config.conf has no effect: no address of a Service is bound to the \
             node, which could answer ARP for it",
            "ipvs.excludeCIDRs in config.conf has no effect: virtual servers that Portolan did not \
             make are always left alone",
        ]
    );
    let config = flags().or(file.settings).resolve().unwrap();
    assert_eq!(config.backend, BackendKind::Ipvs);
    assert_eq!((config.ipvs.scheduler.as_str(), config.ipvs.timeouts), ("lc", [900, 120, 0]));
    let unset = kube_proxy("ipvs: {strictARP: false, excludeCIDRs: null, scheduler: ''}\n");
    assert_eq!(unset.unwrap().warnings, [""; 0]);
}
