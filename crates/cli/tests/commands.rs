//! The binary without a kernel: what it prints, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

/// Other tests have servers on the same ports.
const NO_SERVERS: [&str; 2] = ["--healthz-bind-address=", "--metrics-bind-address="];

const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  clusterIP: 10.96.0.10
  clusterIPs: [10.96.0.10]
  ports: [{port: 80, protocol: TCP}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 8080, protocol: TCP}]
endpoints: [{addresses: [10.244.0.1]}]
";

const NODE: &str = "
apiVersion: v1
kind: Node
metadata: {name: node-a}
status: {addresses: [{type: InternalIP, address: 192.0.2.1}]}
";

const PORTLESS: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.10, clusterIPs: [10.96.0.10], ports: [{port: 70000}]}
";

fn portolan(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portolan")).args(arguments).output().unwrap()
}

fn render(directory: &Path, more: &[&str]) -> Output {
    let source = format!("dir:{}", directory.display());
    portolan(&[&["render", "--node-name", "node-a", "--source", &source], more].concat())
}

fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    directory
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn render_prints_the_ruleset_and_names_what_it_cannot_use() {
    let directory = directory(&[("web.yaml", SERVICE), ("broken.yaml", "kind: [Service\n")]);
    let output = render(directory.path(), &[]);
    assert!(output.status.success());
    assert!(stdout(&output).contains("table ip portolan {"), "{}", stdout(&output));
    assert!(stdout(&output).contains("10.96.0.10"), "{}", stdout(&output));
    assert!(stderr(&output).contains("broken.yaml"), "{}", stderr(&output));
    assert!(!stderr(&output).contains("web.yaml"), "{}", stderr(&output));
}

#[test]
fn render_prints_json_that_is_json() {
    let directory = directory(&[("web.yaml", SERVICE)]);
    let output = render(directory.path(), &["--format", "json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let json: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(json.get("nftables").is_some_and(serde_json::Value::is_array), "{json}");
}

#[test]
fn render_fails_only_if_nothing_can_be_read() {
    let cases = [
        (directory(&[]), true, ""),
        (directory(&[("broken.yaml", "kind: [Service\n")]), false, "could be read"),
        (directory(&[("web.yaml", SERVICE), ("broken.yaml", "a: [")]), true, "broken.yaml"),
        (directory(&[("node.yaml", NODE), ("broken.yaml", "a: [")]), true, "broken.yaml"),
        (directory(&[("web.yaml", PORTLESS), ("broken.yaml", "a: [")]), true, "shop/web"),
    ];
    for (directory, success, told) in cases {
        let output = render(directory.path(), &[]);
        assert_eq!(output.status.success(), success, "{}", stderr(&output));
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
    }
    let file = directory(&[("web.yaml", SERVICE)]);
    let its_directory = format!("did you mean its directory, dir:{}?", file.path().display());
    for (path, told) in [
        (Path::new("/nowhere/at/all"), "manifests /nowhere/at/all: No such file"),
        (&file.path().join("web.yaml"), its_directory.as_str()),
    ] {
        let output = render(path, &[]);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
    }
}

#[test]
fn render_uses_the_flags_and_the_file_of_run() {
    let manifests = directory(&[("web.yaml", SERVICE)]);
    let settings = directory(&[(
        "portolan.yaml",
        "apiVersion: portolan/v1alpha1\nkind: PortolanConfiguration\nclusterCIDR: 10.7.0.0/16\n",
    )]);
    let file = settings.path().join("portolan.yaml");
    let file = file.to_str().unwrap();
    let from_file = render(manifests.path(), &["--config", file]);
    assert!(stdout(&from_file).contains("10.7.0.0/16"), "{}", stdout(&from_file));
    let from_flag = render(manifests.path(), &["--config", file, "--cluster-cidr", "10.8.0.0/16"]);
    assert!(stdout(&from_flag).contains("10.8.0.0/16"), "{}", stdout(&from_flag));
    let bad = render(manifests.path(), &["--cluster-cidr", "10.8.0.0/33"]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(stderr(&bad).starts_with("portolan: --cluster-cidr: "), "{}", stderr(&bad));
}

#[test]
fn render_does_not_ask_a_configuration_file_for_the_mode() {
    let manifests = directory(&[("web.yaml", SERVICE)]);
    for mode in ["", "iptables", "ipvs", "nftables"] {
        let text = format!(
            "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n\
             mode: \"{mode}\"\n"
        );
        let settings = directory(&[("config.conf", &text)]);
        let file = settings.path().join("config.conf");
        let file = file.to_str().unwrap();
        let output = render(manifests.path(), &["--config", file]);
        assert!(output.status.success(), "{mode}: {}", stderr(&output));
        let plain = stdout(&render(manifests.path(), &[]));
        assert_eq!(stdout(&output), plain, "{mode}");
        let ipvs = stdout(&render(manifests.path(), &["--config", file, "--backend", "ipvs"]));
        assert_ne!(ipvs, plain, "{mode}");
    }
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let manifests = directory(&[("web.yaml", SERVICE)]);
    let source = format!("dir:{}", manifests.path().display());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = Command::new(env!("CARGO_BIN_EXE_portolan"))
        .args(["render", "--node-name", "node-a", "--source", &source])
        .stdout(writer)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(!stderr(&output).contains("portolan: "), "{}", stderr(&output));
}

#[test]
fn render_warns_as_run_does() {
    let directory = directory(&[("web.yaml", SERVICE), ("node.yaml", NODE)]);
    let cluster_cidr = ["--cluster-cidr", "10.244.0.0/16"];
    let cases: [(&[&str], &[&str], &[&str]); 4] = [
        (&[], &["--detect-local-mode NodeCIDR"], &["there is no Node"]),
        (&["--detect-local-mode", "NodeCIDR"], &["no podCIDRs"], &["neither --cluster-cidr"]),
        (&["--node-name", "other"], &["there is no Node other", "--cluster-cidr"], &[]),
        (&cluster_cidr, &[], &["--cluster-cidr", "there is no Node"]),
    ];
    for (arguments, told, untold) in cases {
        let source = format!("dir:{}", directory.path().display());
        let node =
            if arguments.contains(&"--node-name") { &[][..] } else { &["--node-name", "node-a"] };
        let output = portolan(&[&["render", "--source", &source], node, arguments].concat());
        let errors = stderr(&output);
        assert!(told.iter().all(|it| errors.contains(it)), "{arguments:?}: {errors}");
        assert!(!untold.iter().any(|it| errors.contains(it)), "{arguments:?}: {errors}");
    }
}

/// Where the examples and the hints of the demo have it.
const POD_NETWORKS: &str = "10.244.0.0/16,fd00:10:244::/48";

#[test]
fn the_line_that_the_examples_and_the_demo_name_has_nothing_to_warn_about() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = fs::read_to_string(root.join("examples/README.md")).unwrap();
    assert!(readme.contains(&format!("--cluster-cidr {POD_NETWORKS}")), "{readme}");
    let source = format!("dir:{}", root.join("examples/cluster").display());
    let node = ["--node-name", "demo-node", "--cluster-cidr", POD_NETWORKS];
    let output = portolan(&[&["render", "--source", &source], &node[..]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(stderr(&output), "5 Services, 10 EndpointSlices, 1 Node, 1 ServiceCIDR\n");
}

#[test]
fn a_directory_without_services_is_not_met_with_silence() {
    let other = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n";
    let misspelt = SERVICE.replace("kind: Service\n", "kind: Servce\n");
    let empty = directory(&[]);
    let below = directory(&[]);
    fs::create_dir(below.path().join("cluster")).unwrap();
    fs::write(below.path().join("cluster/web.yaml"), SERVICE).unwrap();
    for (directory, told) in [
        (empty, "it has no file *.yaml"),
        (below, "there are manifests in "),
        (directory(&[("pod.yaml", other)]), "1 object of another kind ignored"),
        (directory(&[("web.yaml", &misspelt)]), "did you mean v1 Service?"),
    ] {
        let rendered = stderr(&render(directory.path(), &[]));
        assert!(rendered.contains("there is no Service in "), "{rendered}");
        assert!(rendered.contains(told), "{rendered}");
    }
}

#[test]
fn without_a_cluster_no_reason_stands_there_twice() {
    let quiet = ["run", "--node-name", "a", "--control-socket="];
    let quiet = [&quiet[..], &NO_SERVERS].concat();
    let output = Command::new(env!("CARGO_BIN_EXE_portolan"))
        .args(quiet)
        .env_remove("KUBERNETES_SERVICE_HOST")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = stderr(&output);
    let line = told.lines().last().unwrap();
    let parts: Vec<&str> = line.split(": ").collect();
    assert!(parts.windows(2).all(|pair| pair[0] != pair[1]), "{line}");
    for way in ["--kubeconfig", "--source dir:"] {
        assert!(line.contains(way), "{line}");
    }
}

#[test]
fn dump_without_an_agent_says_where_it_looked() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("control.sock");
    let socket = socket.to_str().unwrap();
    let output = portolan(&["dump", "--control-socket", socket]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(socket), "{}", stderr(&output));
    assert!(stderr(&output).contains("portolan run"), "{}", stderr(&output));
}

#[test]
fn exit_codes_tell_unknown_options_from_values_that_cannot_be_used() {
    for command in ["run", "render"] {
        let source = ["--node-name", "a", "--source", "dir:/nowhere/at/all"];
        let start = [&[command][..], &source].concat();
        for (more, code) in [
            (&["--no-such-option"][..], 2),
            (&["--cluster-cidr"], 2),
            (&["--cluster-cidr", "10.0.0.0/33"], 1),
            (&["--masquerade-bit", "thirteen"], 2),
        ] {
            let output = portolan(&[&start[..], more].concat());
            assert_eq!(output.status.code(), Some(code), "{command} {more:?}");
        }
    }
}

#[test]
fn run_refuses_what_does_not_exist() {
    let cases: [(&[&str], &str); 3] = [
        (&["--backend", "iptables"], "only nftables and ipvs"),
        (&["--source", "dir:/nowhere/at/all"], "/nowhere/at/all"),
        (&["--log-level", "loud=very"], "--log-level"),
    ];
    for (arguments, told) in cases {
        let quiet = ["--node-name", "a", "--control-socket="];
        let output = portolan(&[&["run"], arguments, &quiet, &NO_SERVERS].concat());
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(stderr(&output).contains(told), "{arguments:?}: {}", stderr(&output));
    }
}
