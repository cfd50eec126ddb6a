//! What the program says to whoever asks whether something became worse: its exit code.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test stops at the first surprise"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

/// What the lane compares its run with.
fn committed() -> BTreeMap<String, Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("baseline.json");
    let baseline: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    serde_json::from_value(baseline["values"].clone()).unwrap()
}

/// Runs the program on a run that is over and measured these ratios.
fn compare(directory: &Path, measured: &BTreeMap<String, f64>, baseline: &Path) -> Output {
    let ratios =
        measured.iter().map(|(name, value)| json!({"name": name, "value": value, "kind": "count"}));
    let report = json!({
        "schema": 1, "portolan": "", "arguments": [], "seconds": 1.0, "figures": [],
        "machine": {"processor": "", "processors": 1, "memory_bytes": 1, "kernel": ""},
        "ratios": ratios.collect::<Vec<_>>(),
    });
    let figures = directory.join("figures.json");
    fs::write(&figures, report.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_portolan-bench"));
    command.arg("--from").arg(&figures).arg("--compare").arg(baseline).output().unwrap()
}

fn baseline(directory: &Path, values: &BTreeMap<String, Value>) -> std::path::PathBuf {
    let path = directory.join("baseline.json");
    fs::write(&path, json!({"about": "", "values": values}).to_string()).unwrap();
    path
}

fn number(limit: &Value, field: &str) -> f64 {
    limit[field].as_f64().unwrap()
}

/// A run that measured what a baseline holds.
fn same_as(values: &BTreeMap<String, Value>) -> BTreeMap<String, f64> {
    values.iter().map(|(name, limit)| (name.clone(), number(limit, "value"))).collect()
}

#[test]
fn a_run_that_measured_what_the_baseline_holds_succeeds() {
    let directory = tempfile::tempdir().unwrap();
    let values = committed();
    let output = compare(directory.path(), &same_as(&values), &baseline(directory.path(), &values));
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}{output:?}");
    assert!(values.keys().all(|name| text.contains(name.as_str())), "{text}");
}

#[test]
fn each_value_of_the_baseline_fails_the_run_by_itself_once_it_is_beyond_its_margin() {
    let directory = tempfile::tempdir().unwrap();
    let values = committed();
    for (name, limit) in &values {
        let most = number(limit, "value") * (1.0 + number(limit, "margin"));
        for (measured, code) in [(most, 0), (most + 0.01 * most.max(1.0), 1)] {
            let mut run = same_as(&values);
            run.insert(name.clone(), measured);
            let output = compare(directory.path(), &run, &baseline(directory.path(), &values));
            let text = String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(code), "{name} is {measured}: {text}");
            let last = text.lines().last().unwrap();
            assert_eq!(last.ends_with(&format!(": {name}")), code == 1, "{last}");
        }
    }
}

#[test]
fn a_better_baseline_fails_the_run_that_it_was_made_from() {
    let directory = tempfile::tempdir().unwrap();
    let values = committed();
    let mut doctored = values.clone();
    for limit in doctored.values_mut().filter(|limit| number(limit, "value") > 0.0) {
        let value = number(limit, "value") / (1.0 + number(limit, "margin")) * 0.99;
        limit["value"] = value.into();
    }
    let output =
        compare(directory.path(), &same_as(&values), &baseline(directory.path(), &doctored));
    let text = String::from_utf8_lossy(&output.stdout);
    let doctored = doctored.values().filter(|limit| number(limit, "value") > 0.0).count();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!(text.matches("WORSE").count(), doctored, "{text}");
}

#[test]
fn what_was_not_measured_and_a_baseline_that_is_none_fail() {
    let directory = tempfile::tempdir().unwrap();
    let values = committed();
    let mut less = same_as(&values);
    less.pop_first();
    let output = compare(directory.path(), &less, &baseline(directory.path(), &values));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("NOT MEASURED"));
    let none = directory.path().join("none.json");
    for text in ["{}", "not JSON"] {
        fs::write(&none, text).unwrap();
        let output = compare(directory.path(), &less, &none);
        assert_ne!(output.status.code(), Some(0), "{text}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("is no baseline"), "{output:?}");
    }
}
