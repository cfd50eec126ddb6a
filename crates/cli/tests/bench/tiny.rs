//! A cluster that is measured in seconds, and what was measured.

use std::path::Path;

use clap::Parser;
use portolan_bench::Arguments;
use serde_json::Value;

/// What is measured of the running agent, as tables and baselines name it.
pub(crate) const OF_AGENT: [&str; 15] = [
    "cold start",
    "warm restart",
    "endpoint replaced",
    "scaled by one",
    "rolling update",
    "node drained",
    "namespace deleted",
    "sustained churn",
    "list again after 410",
    "changed after 410",
    "connect past the rules",
    "connect to a ClusterIP",
    "connect with affinity",
    "ask over UDP past the rules",
    "ask over UDP",
];

/// The report is `figures.json` of the directory.
pub(crate) fn tiny(directory: &Path, more: &[&str]) -> Arguments {
    let json = directory.join("figures.json");
    let words = [
        "bench",
        "--services=24",
        "--endpoints=3",
        "--runs=2",
        "--changes=4",
        "--churn-rate=50",
        "--churn-seconds=1",
        "--connections=10",
        "--deployment=120",
        "--share-dual-stack=0.3",
        "--share-node-port=0.3",
        "--share-load-balancer=0.2",
        "--no-progress",
        "--patience=60",
        "--portolan",
        env!("CARGO_BIN_EXE_portolan"),
        "--json",
        json.to_str().unwrap(),
    ];
    Arguments::parse_from([&words, more].concat())
}

pub(crate) fn median(report: &Value, scenario: &str, arm: &str, metric: &str) -> Option<f64> {
    let figures = report["figures"].as_array().unwrap();
    let found = figures.iter().find(|figure| {
        figure["scenario"] == scenario && figure["arm"] == arm && figure["metric"] == metric
    });
    found.map(|figure| figure["median"].as_f64().unwrap())
}

/// What was measured into a directory.
pub(crate) fn report(directory: &Path) -> Value {
    let text = std::fs::read(directory.join("figures.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}
