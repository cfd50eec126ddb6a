//! What both kinds of files say.

use super::*;

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
