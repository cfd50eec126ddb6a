//! What the command line accepts, and what it says about itself.

use clap::{CommandFactory, Parser};
use portolan_agent::config::{LocalPodDetection, NodePortSelection, SourceConfig};

use super::*;

fn parse(arguments: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(["portolan"].iter().chain(arguments))
}

fn config(arguments: &[&str]) -> anyhow::Result<portolan_agent::Config> {
    match parse(&[&["run", "--node-name", "a"], arguments].concat())?.command {
        Command::Run(arguments) => Ok(arguments.load()?.config),
        other => panic!("{other:?}"),
    }
}

#[test]
fn help_is_what_the_snapshots_say() {
    let mut command = Cli::command().term_width(100);
    command.build();
    if cfg!(feature = "demo") {
        insta::assert_snapshot!("help", command.render_long_help().to_string());
    }
    for subcommand in command.get_subcommands_mut().filter(|it| it.get_name() != "help") {
        let name = format!("help-{}", subcommand.get_name());
        insta::assert_snapshot!(name, subcommand.render_long_help().to_string());
    }
}

#[test]
fn the_flags_of_kube_proxy_mean_what_they_mean_there() {
    let config = |more: &[&str]| {
        let arguments = [&["run", "--hostname-override", "Worker-1"], more].concat();
        match parse(&arguments).unwrap().command {
            Command::Run(arguments) => arguments.load().unwrap().config,
            other => panic!("{other:?}"),
        }
    };
    let many = config(&[
        "--proxy-mode=nftables",
        "--kubeconfig=/etc/kubeconfig",
        "--master=https://192.0.2.1:6443",
        "--tls-server-name=kubernetes",
        "--cluster-cidr=10.244.0.0/16,fd00:10:244::/56",
        "--nodeport-addresses=192.0.2.0/24,2001:db8::/64",
        "--healthz-bind-address=127.0.0.1:1",
        "--metrics-bind-address=0.0.0.0",
        "--masquerade-all=true",
    ]);
    assert_eq!(many.node_name, "worker-1");
    let kubeconfig = Some("/etc/kubeconfig".into());
    let master = Some("https://192.0.2.1:6443".to_owned());
    let tls_server_name = Some("kubernetes".to_owned());
    assert_eq!(many.source, SourceConfig::Kube { kubeconfig, master, tls_server_name });
    assert!(matches!(many.local_pods, LocalPodDetection::ClusterCidr(cidrs) if cidrs.len() == 2));
    assert!(matches!(many.node_ports, NodePortSelection::Networks(cidrs) if cidrs.len() == 2));
    assert_eq!(many.healthz, Some("127.0.0.1:1".parse().unwrap()));
    assert_eq!(many.metrics, Some("0.0.0.0:10249".parse().unwrap()));
    assert!(many.nftables.masquerade_all);

    assert!(config(&["--masquerade-all"]).nftables.masquerade_all);
    assert!(!config(&["--masquerade-all=false"]).nftables.masquerade_all);
    for flag in ["--localhost-nodeports", "--iptables-localhost-nodeports"] {
        assert!(config(&[flag]).localhost_node_ports, "{flag}");
        assert!(!config(&[&format!("{flag}=false")]).localhost_node_ports, "{flag}");
    }
    assert_eq!(config(&["--healthz-bind-address="]).healthz, None);
    assert_eq!(config(&["--metrics-bind-address="]).metrics, None);
    assert_eq!(
        config(&["--detect-local-mode=BridgeInterface", "--pod-bridge-interface=cni0"]).local_pods,
        LocalPodDetection::BridgeInterface("cni0".to_owned())
    );
    assert_eq!(
        config(&["--detect-local-mode=InterfaceNamePrefix", "--pod-interface-name-prefix=veth"])
            .local_pods,
        LocalPodDetection::InterfaceNamePrefix("veth".to_owned())
    );
}

#[test]
fn flags_that_make_no_sense_are_refused_by_name() {
    let cases: [(&[&str], &str); 5] = [
        (
            &["--backend", "iptables"],
            "--backend: there is no backend \"iptables\", only nftables and ipvs; a right value is \
             nftables",
        ),
        (
            &["--cluster-cidr", "10.0.0.0"],
            "--cluster-cidr: \"10.0.0.0\" lacks the prefix length of a network; a right value is \
             10.244.0.0/16,fd00:10:244::/56",
        ),
        (&["--source", "files"], "--source: there is no source \"files\"; a right value is kube, "),
        (&["--masquerade-bit", "32"], "--masquerade-bit: 32 is not a bit of the packet mark"),
        (&["--config", "/nowhere.yaml"], "cannot read the configuration file /nowhere.yaml"),
    ];
    for (arguments, text) in cases {
        let error = config(arguments).unwrap_err();
        assert!(format!("{error:#}").starts_with(text), "{arguments:?}: {error:#}");
    }
}

#[test]
fn a_flag_wins_over_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("portolan.yaml");
    std::fs::write(
        &file,
        "apiVersion: portolan/v1alpha1\nkind: PortolanConfiguration\n\
         clusterCIDR: 10.1.0.0/16\nnftables: {masqueradeBit: 20}\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let config = config(&["--config", file, "--cluster-cidr", "10.2.0.0/16"]).unwrap();
    assert_eq!(config.nftables.masquerade_bit, 20);
    let cidr = vec!["10.2.0.0/16".parse().unwrap()];
    assert_eq!(config.local_pods, LocalPodDetection::ClusterCidr(cidr));
}
