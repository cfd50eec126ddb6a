//! The benchmarks on a tiny cluster. What they measure here says nothing; that they measure
//! all of it, with this agent, says that they can be relied on.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod tiny;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use portolan_bench::{CountingAllocator, run};
use portolan_lab::namespaced;
use serde_json::Value;

use crate::tiny::{OF_AGENT, median, report, tiny};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Those of the backend without an agent.
const OF_PLANS: [&str; 4] = [
    "plan to kernel: everything",
    "plan to kernel: nothing new",
    "plan to kernel: replaced",
    "plan to kernel: scaled",
];

#[test]
fn every_scenario_gives_a_figure_and_what_changes_nothing_sends_nothing() {
    namespaced("every_scenario_gives_a_figure_and_what_changes_nothing_sends_nothing", || {
        let directory = tempfile::tempdir().unwrap();
        let baseline = directory.path().join("baseline.json");
        let write = ["--write-baseline", baseline.to_str().unwrap()];
        assert_eq!(run(&tiny(directory.path(), &write)).unwrap(), ExitCode::SUCCESS);
        let report = report(directory.path());
        for scenario in OF_AGENT.into_iter().chain(OF_PLANS) {
            let time = median(&report, scenario, "portolan", "time");
            assert!(time.is_some_and(|time| time > 0.0), "{scenario}: {time:?}");
        }
        for (scenario, arm, metric) in [
            ("plan to kernel: everything", "floor", "time"),
            ("plan to kernel: replaced", "floor", "time"),
            ("plan to kernel: scaled", "floor", "time"),
            ("plan to kernel: scaled", "portolan", "over-floor"),
            ("connect past the rules", "direct", "rate"),
            ("connect to a ClusterIP", "portolan", "rate"),
            ("ask over UDP", "direct", "time"),
            ("ask over UDP", "portolan", "rate"),
        ] {
            assert!(median(&report, scenario, arm, metric).is_some(), "{scenario}, {arm}");
        }
        // Both send the same, but for the generation that the agent builds upon.
        for scenario in
            ["everything", "replaced", "scaled"].map(|it| format!("plan to kernel: {it}"))
        {
            let bytes = |arm| median(&report, &scenario, arm, "bytes").unwrap();
            let more = bytes("portolan") - bytes("floor");
            assert!((0.0..=8.0).contains(&more), "{scenario}: {more}");
        }
        for (scenario, metric, expected) in [
            ("warm restart", "transactions", 0.0),
            ("warm restart", "operations", 0.0),
            ("warm restart", "bytes", 0.0),
            ("list again after 410", "operations", 0.0),
            ("list again after 410", "bytes", 0.0),
            ("plan to kernel: nothing new", "operations", 0.0),
            ("cold start", "transactions", 1.0),
        ] {
            let found = median(&report, scenario, "portolan", metric);
            assert_eq!(found, Some(expected), "{scenario}: {metric}");
        }
        for (scenario, metric) in [
            ("cold start", "operations"),
            ("cold start", "bytes"),
            ("endpoint replaced", "bytes"),
            ("node drained", "bytes"),
            ("plan to kernel: everything", "allocations"),
            ("plan to kernel: replaced", "allocations"),
        ] {
            let found = median(&report, scenario, "portolan", metric);
            assert!(found.is_some_and(|found| found > 0.0), "{scenario}: {metric} is {found:?}");
        }
        let peak = median(&report, "cold start", "portolan", "peak-resident").unwrap();
        assert!(peak > 1_000_000.0, "{peak}");
        a_saved_run_is_judged_by_the_baseline(directory.path(), &baseline);
    });
}

/// By its figures alone: nothing is measured again.
fn a_saved_run_is_judged_by_the_baseline(directory: &Path, baseline: &Path) {
    let figures = directory.join("figures.json");
    let words = ["--from", figures.to_str().unwrap(), "--compare", baseline.to_str().unwrap()];
    assert_eq!(run(&tiny(directory, &words)).unwrap(), ExitCode::SUCCESS);
    let text = std::fs::read_to_string(baseline).unwrap();
    let mut limits: Value = serde_json::from_str(&text).unwrap();
    let values = limits.get_mut("values").and_then(Value::as_object_mut).unwrap();
    for limit in values.values_mut().filter(|limit| limit["value"] != 0.0) {
        limit["most"] = 0.0.into();
    }
    std::fs::write(baseline, limits.to_string()).unwrap();
    assert_eq!(run(&tiny(directory, &words)).unwrap(), ExitCode::FAILURE);
}

#[test]
fn every_scenario_of_the_running_agent_gives_a_figure_over_https_too() {
    namespaced("every_scenario_of_the_running_agent_gives_a_figure_over_https_too", || {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(run(&tiny(directory.path(), &["--https"])).unwrap(), ExitCode::SUCCESS);
        let report = report(directory.path());
        assert_eq!(report["transport"], "https");
        for scenario in OF_AGENT {
            let time = median(&report, scenario, "portolan", "time");
            assert!(time.is_some_and(|time| time > 0.0), "{scenario}: {time:?}");
        }
    });
}

#[test]
fn what_was_measured_before_something_failed_is_kept() {
    namespaced("what_was_measured_before_something_failed_is_kept", || {
        let directory = tempfile::tempdir().unwrap();
        let broken = directory.path().join("kube-proxy");
        std::fs::write(&broken, "#!/bin/sh\n[ \"$1\" = --version ] && echo Kubernetes v0\n")
            .unwrap();
        std::fs::set_permissions(&broken, Permissions::from_mode(0o755)).unwrap();
        let arguments = tiny(directory.path(), &["--kube-proxy", broken.to_str().unwrap()]);
        let error = format!("{:#}", run(&arguments).unwrap_err());
        assert!(error.contains("kube-proxy ended by itself"), "{error}");
        let report = report(directory.path());
        assert_eq!(report["kube_proxy"], "Kubernetes v0");
        for scenario in OF_AGENT {
            assert!(median(&report, scenario, "portolan", "time").is_some(), "{scenario}");
        }
    });
}

#[test]
fn a_kernel_without_ipvs_is_named_before_anything_is_measured() {
    namespaced("a_kernel_without_ipvs_is_named_before_anything_is_measured", || {
        let directory = tempfile::tempdir().unwrap();
        // Where there is IPVS, `ipvs_bench` says what is measured.
        let Err(error) = run(&tiny(directory.path(), &["--backend=ipvs"])) else { return };
        let text = format!("{error:#}");
        assert!(text.contains("it takes a kernel that has it, and root"), "{text}");
    });
}
