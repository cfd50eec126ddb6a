//! The benchmarks where the kernel has IPVS, which tells nobody of its changes: every one is
//! looked for.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod tiny;

use std::process::ExitCode;

use portolan_bench::run;
use portolan_lab::namespaced_as_superuser as namespaced;

use crate::tiny::{OF_AGENT, median, report, tiny};

#[test]
fn every_scenario_of_the_running_agent_gives_a_figure_with_ipvs_too() {
    namespaced("every_scenario_of_the_running_agent_gives_a_figure_with_ipvs_too", || {
        let directory = tempfile::tempdir().unwrap();
        let arguments = tiny(directory.path(), &["--backend=ipvs"]);
        assert_eq!(run(&arguments).unwrap(), ExitCode::SUCCESS);
        let report = report(directory.path());
        for scenario in OF_AGENT {
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
