//! `portolan explain` over manifests: every line that it prints of them.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;
use std::process::{Command, Output};

const DETECTION: &str = "--detect-local-mode";

fn explain(directory: &str, arguments: &[&str]) -> Output {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let source = format!("dir:{}", path.display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"));
    command.arg("explain").args(arguments).args(["--source", &source, "--node-name", "demo-node"]);
    if !arguments.contains(&DETECTION) {
        command.args([DETECTION, "NodeCIDR"]);
    }
    command.output().unwrap()
}

/// What is asked and what is answered, one after the other.
fn told(directory: &str, questions: &[&str]) -> String {
    let mut told = String::new();
    for question in questions {
        let arguments: Vec<&str> = question.split(' ').collect();
        let output = explain(directory, &arguments);
        let (text, errors) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{question}: {errors}");
        told.push_str(&format!("$ portolan explain {question}\n{text}\n"));
    }
    told
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const EXAMPLES: &str = "../../examples/cluster";

#[test]
fn packets_to_the_services_of_the_examples() {
    insta::assert_snapshot!(told(
        EXAMPLES,
        &[
            "--from pod tcp://10.96.0.80:80",
            "--from 10.244.1.11 tcp://10.96.0.80:80",
            "--from outside tcp://10.96.0.80:80",
            "--from outside=203.0.113.2 tcp://192.168.50.10:30080",
            "--from node tcp://[fd00:10:96::80]:80",
            "--from pod udp://10.96.0.53:53",
            "--from pod tcp://10.96.0.70:6379",
            "tcp://192.168.50.10:30090",
            "--from outside tcp://[fd00:192:168:50::10]:30090",
            "--from pod tcp://10.96.0.40:80",
            "--from pod udp://10.96.0.40:80",
            "--backend ipvs --from pod tcp://10.96.0.80:80",
            "--masquerade-all --from pod tcp://10.96.0.80:80",
            "--localhost-nodeports --from node tcp://127.0.0.1:30080",
            "--localhost-nodeports --from node tcp://[::1]:30080",
            "--localhost-nodeports tcp://127.0.0.1:30080",
        ]
    ));
}

#[test]
fn packets_that_no_service_of_the_examples_has() {
    insta::assert_snapshot!(told(
        EXAMPLES,
        &[
            "--from pod tcp://10.96.0.80:81",
            "--from pod tcp://10.96.0.77:80",
            "--from pod tcp://192.0.2.1:443",
            "--from outside tcp://192.168.50.10:22",
            "--from node tcp://127.0.0.1:30080",
        ]
    ));
}

#[test]
fn what_does_not_count_and_why() {
    insta::assert_snapshot!(told(
        "tests/data/explain",
        &[
            "--from outside=203.0.113.7 tcp://198.51.100.21:80",
            "--from outside=192.0.2.7 tcp://198.51.100.21:80",
            "tcp://198.51.100.21:80",
            "--from pod tcp://198.51.100.20:80",
            "--from pod tcp://10.96.0.21:80",
            "--from pod tcp://10.96.0.22:80",
            "--from pod udp://10.96.0.23:53",
            "--from pod udp://10.96.0.20:53",
            "--from pod tcp://198.51.100.20:81",
        ]
    ));
}

#[test]
fn clients_of_whom_too_little_is_said() {
    let by_interface = format!("{DETECTION} BridgeInterface --pod-bridge-interface cni0");
    let questions = [
        "tcp://10.96.0.80:80".to_owned(),
        "--from 203.0.113.2 tcp://192.168.50.10:30090".to_owned(),
        format!("{by_interface} --from 10.244.1.99 tcp://10.96.0.80:80"),
        format!("{by_interface} --interface cni0 tcp://10.96.0.80:80"),
        format!("{by_interface} --interface eth0 tcp://192.168.50.10:30090"),
        format!("{DETECTION} ClusterCIDR tcp://10.96.0.80:80"),
    ];
    insta::assert_snapshot!(told(EXAMPLES, &questions.each_ref().map(String::as_str)));
}

#[test]
fn services_by_name() {
    insta::assert_snapshot!(
        "services_of_the_examples",
        told(
            EXAMPLES,
            &[
                "demo/web",
                "demo/local-only",
                "--from outside demo/local-only",
                "--from 10.244.1.11 demo/cache",
                "demo/empty",
            ]
        )
    );
    insta::assert_snapshot!(
        "services_that_lack_something",
        told("tests/data/explain", &["demo/shop", "demo/late"])
    );
}

#[test]
fn json_says_the_same() {
    let arguments = ["--from", "pod", "tcp://10.96.0.40:80", "--format", "json"];
    insta::assert_snapshot!(text(&explain(EXAMPLES, &arguments).stdout));
}

#[test]
fn what_cannot_be_answered_is_refused() {
    let cases: [(&[&str], i32, &str); 7] = [
        (&["demo/nobody"], 1, "no Service demo/nobody is served here"),
        (&["--from", "fd00::1", "tcp://10.96.0.80:80"], 1, "--from: an IPv4 packet"),
        (&["--from", "node", "--interface", "a", "demo/web"], 1, "--interface: "),
        (&["web"], 2, "expected tcp://ADDRESS:PORT or NAMESPACE/NAME"),
        (&["http://10.96.0.80:80"], 2, "there is no protocol \"http\""),
        (&["--from", "somebody", "demo/web"], 2, "\"somebody\" is not an address"),
        (&["demo/web", "--control-socket", "/a"], 2, "cannot be used with"),
    ];
    for (arguments, code, expected) in cases {
        let output = explain(EXAMPLES, arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        let errors = text(&output.stderr);
        assert!(errors.contains(expected), "{arguments:?}: {errors}");
    }
}

#[test]
fn without_an_agent_it_says_where_it_looked_and_what_the_agent_is_not_asked() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portolan"));
        let output = command.arg("explain").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    let socket = "/nowhere/control.sock";
    let errors = run(&["demo/web", "--control-socket", socket]);
    assert!(errors.contains(socket) && errors.contains("portolan run"), "{errors}");
    let errors = run(&["demo/web", "--masquerade-all"]);
    assert!(errors.contains("count with --source only"), "{errors}");
}

#[test]
fn the_readme_shows_what_is_printed() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let question = "--from outside tcp://192.168.50.10:30090";
    let told = told(EXAMPLES, &[question]);
    // Without the line about the node.
    let (asked, answer) = told.split_once('\n').unwrap();
    let (_, answer) = answer.split_once('\n').unwrap();
    let example = format!("```text\n{asked}\n{}\n```\n", answer.trim_end());
    assert!(readme.contains(&example), "{example}");
}
