//! The lanes of `cargo xtask test`: run one after the other, none stopped by another.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::bench::lane;
use crate::command::{cargo, run as run_command};
use crate::vm::options::{Options, Place};
use crate::vm::{self, Kernel};
use crate::{dependencies, tools};

/// One group of checks.
pub struct Lane {
    /// What `--lane` and the summary call it.
    pub name: &'static str,
    /// What it checks, in a line.
    pub purpose: &'static str,
    check: fn() -> Result<()>,
}

/// All lanes, quick ones first.
pub const LANES: &[Lane] = &[
    Lane { name: "format", purpose: "rustfmt leaves every file as it is", check: format },
    Lane { name: "deny", purpose: "licences, bans and sources of deny.toml", check: deny },
    Lane { name: "lint", purpose: "clippy finds nothing", check: lint },
    Lane {
        name: "test",
        purpose: "unit, property, namespace and documentation tests",
        check: test,
    },
    Lane { name: "bench", purpose: "no ratio is worse than benches/baseline.json", check: lane },
    Lane { name: "vm", purpose: "kernel tests on Linux 6.1, emulated", check: machine },
    Lane { name: "docs", purpose: "rustdoc finds nothing", check: docs },
];

/// The lanes with these names, in the order of [`LANES`]; all of them if none is named.
///
/// # Errors
/// When a name is not that of a lane.
pub fn named(names: &[&str]) -> Result<Vec<&'static Lane>> {
    if let Some(name) = names.iter().find(|name| LANES.iter().all(|lane| lane.name != **name)) {
        let known: Vec<&str> = LANES.iter().map(|lane| lane.name).collect();
        bail!("no lane is called {name:?}; there are {}", known.join(", "));
    }
    Ok(LANES.iter().filter(|lane| names.is_empty() || names.contains(&lane.name)).collect())
}

/// Runs the lanes and prints a closing summary. The exit code is 1 if any of them failed.
pub fn run(lanes: &[&Lane]) -> ExitCode {
    let mut results = Vec::new();
    let first = Instant::now();
    for (index, lane) in lanes.iter().enumerate() {
        let (number, count) = (index + 1, lanes.len());
        println!("\n==> {} (lane {number} of {count}): {}", lane.name, lane.purpose);
        let start = Instant::now();
        let outcome = (lane.check)();
        let duration = start.elapsed();
        if let Err(error) = &outcome {
            println!("error: {error:#}");
        }
        println!("<== {}: {} in {}", lane.name, verdict(outcome.is_ok()), seconds(duration));
        results.push((lane.name, outcome.is_ok(), duration));
    }
    println!("\n{:<8} {:<7} {:>9}", "lane", "result", "duration");
    for (name, passed, duration) in &results {
        println!("{name:<8} {:<7} {:>9}", verdict(*passed), seconds(*duration));
    }
    println!("{:<8} {:<7} {:>9}", "total", "", seconds(first.elapsed()));
    let passed = results.iter().all(|(_, passed, _)| *passed);
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn verdict(passed: bool) -> &'static str {
    if passed { "ok" } else { "FAILED" }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

fn format() -> Result<()> {
    run_command(&mut cargo(["fmt", "--all", "--check"]))
}

/// The own check always runs, so that everybody has the same one; cargo-deny sees more,
/// where it is installed.
fn deny() -> Result<()> {
    let own = dependencies::check();
    let installed = cargo(["deny", "--version"]).output().is_ok_and(|o| o.status.success());
    let full = if installed {
        run_command(&mut cargo(["deny", "check", "licenses", "bans", "sources"]))
    } else {
        Ok(())
    };
    all([own, full])
}

/// Tests that only `cargo xtask vm` runs are no targets by default, and named.
fn lint() -> Result<()> {
    let deny = ["--", "-D", "warnings"];
    let mut defaults = cargo(["clippy", "--workspace", "--all-targets"]);
    let mut apart = cargo(["clippy", "--workspace"]);
    for name in vm::tests_apart() {
        apart.args(["--test", name]);
    }
    all([run_command(defaults.args(deny)), run_command(apart.args(deny))])
}

/// Without the tools the tests still run: each says itself what it misses.
fn test() -> Result<()> {
    let tools = tools::ensure();
    let variables: Vec<_> =
        tools.iter().flatten().map(|tool| (tool.suite.variable(), tool.path.clone())).collect();
    let tests = |what| {
        let mut command = cargo(["test", "--workspace", what, "--no-fail-fast"]);
        run_command(command.envs(variables.iter().cloned()))
    };
    all([tools.map(|_| ()), tests("--all-targets"), tests("--doc")])
}

fn machine() -> Result<()> {
    let emulated = vm::run(&Options::lane(Kernel::USUAL));
    if !vm::run_here_too() {
        println!("IPVS is not loaded here, or not for this user: its tests ran emulated only");
        return emulated;
    }
    let tests = vm::tests_apart().map(str::to_owned).collect();
    let here = Options { places: vec![Place::Host], tests, ..Options::lane(Kernel::USUAL) };
    all([emulated, vm::run(&here)])
}

fn docs() -> Result<()> {
    let mut command = cargo(["doc", "--workspace", "--no-deps"]);
    run_command(command.env("RUSTDOCFLAGS", "-D warnings"))
}

/// Every failure of several steps, as one.
fn all<const N: usize>(steps: [Result<()>; N]) -> Result<()> {
    let failures: Vec<String> =
        steps.into_iter().filter_map(Result::err).map(|error| format!("{error:#}")).collect();
    if failures.is_empty() { Ok(()) } else { bail!("{}", failures.join("\n       ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_name_every_lane_runs() {
        assert_eq!(named(&[]).unwrap().len(), LANES.len());
    }

    #[test]
    fn named_lanes_run_once_and_in_their_own_order() {
        let chosen = named(&["test", "format", "test"]).unwrap();
        let names: Vec<&str> = chosen.iter().map(|lane| lane.name).collect();
        assert_eq!(names, ["format", "test"]);
    }

    #[test]
    fn an_unknown_lane_is_refused_and_the_known_ones_are_named() {
        let error = named(&["speed"]).err().unwrap().to_string();
        assert!(error.contains("\"speed\"") && error.contains("docs"), "{error}");
    }

    #[test]
    fn one_failure_hides_no_other() {
        let result = all([Err(anyhow::anyhow!("first")), Ok(()), Err(anyhow::anyhow!("second"))]);
        let error = result.unwrap_err().to_string();
        assert!(error.contains("first") && error.contains("second"), "{error}");
    }
}
