//! The benchmarks where the kernel has IPVS, which tells nobody of its changes: every one is
//! looked for.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod tiny;

use std::process::ExitCode;

use portolan_bench::run;
use portolan_lab::namespaced_as_superuser as namespaced;

use crate::tiny::{median, report, tiny};

const MEASURED: [&str; 14] = [
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
    "ask over UDP",
];

#[test]
fn every_scenario_of_the_running_agent_gives_a_figure_with_ipvs_too() {
    namespaced("every_scenario_of_the_running_agent_gives_a_figure_with_ipvs_too", || {
        let directory = tempfile::tempdir().unwrap();
        let arguments = tiny(directory.path(), &["--backend=ipvs"]);
        assert_eq!(run(&arguments).unwrap(), ExitCode::SUCCESS);
        let report = report(directory.path());
        for scenario in MEASURED {
            let time = median(&report, scenario, "portolan", "time");
            assert!(time.is_some_and(|time| time > 0.0), "{scenario}: {time:?}");
            // IPVS has none, and nothing else is called one.
            assert_eq!(median(&report, scenario, "portolan", "transactions"), None, "{scenario}");
        }
        for (scenario, some) in
            [("cold start", true), ("endpoint replaced", true), ("list again after 410", false)]
        {
            let operations = median(&report, scenario, "portolan", "operations").unwrap();
            assert_eq!(operations > 0.0, some, "{scenario}: {operations}");
        }
    });
}
