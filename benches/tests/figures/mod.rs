//! A run that is over, made up.

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub(crate) const SIZES: [u32; 2] = [1_000, 10_000];

/// All that there are.
pub(crate) const SCENARIOS: [&str; 19] = [
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
    "plan to kernel: everything",
    "plan to kernel: nothing new",
    "plan to kernel: replaced",
    "plan to kernel: scaled",
];

/// The least that some of them can cost, in seconds.
const FLOORS: [(&str, &str, f64); 5] = [
    ("plan to kernel: everything", "floor", 0.2),
    ("plan to kernel: replaced", "floor", 10e-6),
    ("plan to kernel: scaled", "floor", 1e-3),
    ("connect past the rules", "direct", 30e-6),
    ("ask over UDP", "direct", 30e-6),
];

/// Scenario, arm, metric.
type Name = (String, String, String);

/// Values by their size and name.
#[derive(Clone, Debug)]
pub(crate) struct Figures(BTreeMap<(u32, Name), f64>);

impl Figures {
    /// A run that nothing is wrong with.
    pub(crate) fn usual() -> Figures {
        let mut figures = Figures(BTreeMap::new());
        for services in SIZES {
            for (scenario, arm, time) in FLOORS {
                figures.set(services, scenario, arm, "time", time);
            }
            for scenario in SCENARIOS {
                figures.set(services, scenario, "portolan", "time", usual_time(scenario));
                figures.set(services, scenario, "portolan", "cpu", 2.0);
                figures.set(services, scenario, "portolan", "operations", 200.0);
                figures.set(services, scenario, "portolan", "allocations", 200.0);
                figures.set(services, scenario, "portolan", "peak-resident", 40e6);
            }
            for arm in ["portolan", "asked"] {
                figures.set(services, "sustained churn", arm, "rate", 1_000.0);
            }
        }
        figures
    }

    /// What the agent takes is so many times as much.
    pub(crate) fn raise(&mut self, services: u32, scenario: &str, metric: &str, times: f64) {
        let value = self.0.get_mut(&(services, name(scenario, "portolan", metric))).unwrap();
        *value *= times;
    }

    pub(crate) fn forget(&mut self, scenario: &str) {
        self.0.retain(|(_, name), _| name.0 != scenario);
    }

    /// As the program writes it.
    pub(crate) fn report(&self) -> Value {
        let figures: Vec<Value> = self
            .0
            .iter()
            .map(|((services, (scenario, arm, metric)), value)| {
                json!({
                    "services": services, "endpoints": 10, "scenario": scenario, "arm": arm,
                    "metric": metric, "unit": "seconds", "median": value, "p99": value,
                    "minimum": value, "maximum": value, "spread": 0.0, "samples": 300,
                    "runs": 3, "mean": value, "medians": [value, value, value],
                })
            })
            .collect();
        json!({
            "schema": 2, "portolan": "", "arguments": [], "seconds": 1.0, "figures": figures,
            "build": {"commit": "1234abc", "profile": "release"}, "ratios": [],
            "machine": {"processor": "", "processors": 1, "memory_bytes": 1, "kernel": ""},
        })
    }

    fn set(&mut self, services: u32, scenario: &str, arm: &str, metric: &str, value: f64) {
        self.0.insert((services, name(scenario, arm, metric)), value);
    }
}

fn name(scenario: &str, arm: &str, metric: &str) -> Name {
    (scenario.to_owned(), arm.to_owned(), metric.to_owned())
}

/// In seconds; more than what it is compared with.
fn usual_time(scenario: &str) -> f64 {
    match scenario {
        "endpoint replaced" => 500e-6,
        "rolling update" | "sustained churn" => 2e-3,
        "plan to kernel: replaced" => 30e-6,
        "scaled by one" => 2e-3,
        "plan to kernel: scaled" => 1.1e-3,
        "plan to kernel: everything" => 0.26,
        name if name.starts_with("connect") || name.starts_with("ask") => 40e-6,
        _ => 1.0,
    }
}
