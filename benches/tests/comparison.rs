//! What the program says to whoever asks whether something became worse: its exit code.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

mod figures;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::figures::{Figures, SCENARIOS, SIZES};

/// Runs the program on a run that is over.
fn bench(directory: &Path, run: &Figures, words: &[&str]) -> Output {
    let file = directory.join("figures.json");
    fs::write(&file, run.report().to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_portolan-bench"));
    command.arg("--from").arg(&file).args(words).output().unwrap()
}

/// What the program makes of a run that nothing is wrong with.
fn baseline(directory: &Path) -> PathBuf {
    let path = directory.join("baseline.json");
    let output = bench(directory, &Figures::usual(), &["--write-baseline", path.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    path
}

fn compare(directory: &Path, run: &Figures, baseline: &Path) -> Output {
    bench(directory, run, &["--compare", baseline.to_str().unwrap()])
}

fn values(baseline: &Path) -> BTreeMap<String, Value> {
    let baseline: Value = serde_json::from_slice(&fs::read(baseline).unwrap()).unwrap();
    serde_json::from_value(baseline["values"].clone()).unwrap()
}

/// The names in the last line, if the run failed.
fn failed(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap();
    if output.status.code() == Some(0) {
        assert!(!last.starts_with("worse than"), "{text}");
        return Vec::new();
    }
    assert_eq!(output.status.code(), Some(1), "{text}{output:?}");
    let (_, names) = last.split_once(".json: ").unwrap();
    names.split("; ").map(str::to_owned).collect()
}

#[test]
fn a_run_that_measured_what_the_baseline_holds_succeeds() {
    let directory = tempfile::tempdir().unwrap();
    let baseline = baseline(directory.path());
    let output = compare(directory.path(), &Figures::usual(), &baseline);
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(failed(&output), [""; 0], "{text}");
    assert!(values(&baseline).keys().all(|name| text.contains(name.as_str())), "{text}");
}

#[test]
fn each_scenario_that_becomes_slower_fails_the_run_by_itself_and_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let baseline = baseline(directory.path());
    for services in SIZES {
        for scenario in SCENARIOS {
            let mut run = Figures::usual();
            run.raise(services, scenario, "time", 4.0);
            let failed = failed(&compare(directory.path(), &run, &baseline));
            let at = format!("at {services} services");
            let named = |name: &String| {
                name.starts_with(scenario) && name.contains(" / ") && name.ends_with(&at)
            };
            assert!(failed.iter().any(named), "{scenario} at {services}: {failed:?}");
        }
    }
}

#[test]
fn more_of_what_is_counted_and_a_lower_rate_fail_the_run_and_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let baseline = baseline(directory.path());
    for (scenario, metric, times, name) in [
        ("endpoint replaced", "cpu", 4.0, "processor time"),
        ("sustained churn", "cpu", 4.0, "processor time of one"),
        ("cold start", "cpu", 4.0, "processor time"),
        ("cold start", "peak-resident", 1.25, "peak of resident memory"),
        ("plan to kernel: replaced", "operations", 1.02, "operations"),
        ("plan to kernel: replaced", "allocations", 1.02, "allocations"),
        ("sustained churn", "rate", 0.9, "rate asked for / kept up"),
    ] {
        let mut run = Figures::usual();
        run.raise(SIZES[0], scenario, metric, times);
        let failed = failed(&compare(directory.path(), &run, &baseline));
        let expected = format!("{scenario}: {name}");
        assert!(failed.len() == 1 && failed[0].starts_with(&expected), "{expected}: {failed:?}");
    }
}

#[test]
fn what_only_grows_with_the_services_fails_as_growth() {
    let directory = tempfile::tempdir().unwrap();
    let baseline = baseline(directory.path());
    let mut run = Figures::usual();
    // Within what is allowed over its floor.
    run.raise(SIZES[1], "endpoint replaced", "time", 1.6);
    let failed = failed(&compare(directory.path(), &run, &baseline));
    assert_eq!(failed, ["endpoint replaced: 10000 services / 1000 services"]);
}

#[test]
fn what_was_not_measured_and_a_baseline_that_is_none_fail() {
    let directory = tempfile::tempdir().unwrap();
    let baseline = baseline(directory.path());
    let mut less = Figures::usual();
    less.forget("node drained");
    let output = compare(directory.path(), &less, &baseline);
    assert!(failed(&output).iter().all(|name| name.starts_with("node drained")), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("NOT MEASURED"));
    let none = directory.path().join("none.json");
    for text in ["{}", "not JSON"] {
        fs::write(&none, text).unwrap();
        let output = compare(directory.path(), &less, &none);
        assert_ne!(output.status.code(), Some(0), "{text}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("is no baseline"), "{output:?}");
    }
}

#[test]
fn a_run_of_another_build_than_the_baseline_s_is_told_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = baseline(directory.path());
    let mut baseline: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (build, expected) in [("release", false), ("bench-ci", true)] {
        baseline["build"] = json!(build);
        fs::write(&path, baseline.to_string()).unwrap();
        let output = compare(directory.path(), &Figures::usual(), &path);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(text.contains("a build with the profile"), expected, "{text}");
    }
}

#[test]
fn every_scenario_has_a_ratio_in_what_the_lane_compares_its_run_with() {
    let committed = values(&Path::new(env!("CARGO_MANIFEST_DIR")).join("baseline.json"));
    for services in SIZES {
        for scenario in SCENARIOS {
            let at = format!("at {services} services");
            let guards = committed.keys().filter(|name| {
                name.starts_with(scenario) && name.contains(" / ") && name.ends_with(&at)
            });
            assert!(guards.count() > 0, "nothing would notice a slower {scenario:?} {at}");
        }
    }
    for (name, limit) in &committed {
        let [value, most] = ["value", "most"].map(|field| limit[field].as_f64().unwrap());
        assert!(most >= value && (value > 0.0 || most == 0.0), "{name}: {limit}");
    }
}
