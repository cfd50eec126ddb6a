//! `cargo xtask bench`: builds the agent and what measures it, and runs that.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{cargo, run, target_directory, workspace_root};
use crate::tools::{self, Suite};

/// How the agent is built whose figures count: as for its users.
const RELEASE: &str = "release";
/// How the lane builds it, in less time (see `Cargo.toml`).
const LANE: &str = "bench-ci";
/// Measures what the lane builds, to write or look at the lane's baseline.
const AS_LANE: &str = "--ci";
/// Where the benchmark looks for what was built.
const COMMIT_VARIABLE: &str = "PORTOLAN_BENCH_COMMIT";
const PROFILE_VARIABLE: &str = "PORTOLAN_BENCH_PROFILE";
/// What the lane compares its run with.
const BASELINE: &str = "benches/baseline.json";

/// The nft that a kube-proxy is given. It needs 1.0.1 or newer, with JSON.
const NFT: Suite = Suite::Trixie;

/// Builds both programs and measures as the arguments say, `--ci` among them. Relative paths
/// in them start at the root of the workspace.
///
/// # Errors
/// When something cannot be built or measured, or is worse than a baseline.
pub fn measure(arguments: &[&str]) -> Result<()> {
    let (profile, arguments) = profile_of(arguments);
    // At once, because each alone would have its dependencies with other features.
    let packages = ["--package", "portolan", "--package", "portolan-bench"];
    run(cargo(["build", "--profile", profile]).args(packages))?;
    let mut command = Command::new(target_directory().join(profile).join("portolan-bench"));
    command.current_dir(workspace_root()).args(&arguments);
    command.env(COMMIT_VARIABLE, commit()).env(PROFILE_VARIABLE, profile);
    if needs_tools(&arguments) {
        command.arg("--kube-proxy-path").arg(directory_of_nft()?);
    }
    run(&mut command)
}

/// The benchmark's own help, of a build that takes the least time.
///
/// # Errors
/// When it cannot be built.
pub fn help() -> Result<()> {
    run(&mut cargo(["run", "--quiet", "--package", "portolan-bench", "--", "--help"]))
}

/// The quick size, compared with the baseline.
///
/// # Errors
/// As [`measure`].
pub fn lane() -> Result<()> {
    measure(&[AS_LANE, "--quick", "--no-progress", "--compare", BASELINE])
}

/// With which profile of cargo to build, and what remains for the benchmark.
fn profile_of<'a>(arguments: &[&'a str]) -> (&'static str, Vec<&'a str>) {
    let rest: Vec<&str> = arguments.iter().copied().filter(|word| *word != AS_LANE).collect();
    (if rest.len() < arguments.len() { LANE } else { RELEASE }, rest)
}

/// The commit that is built, with `-dirty` after it if that is not all; empty outside of a
/// checkout.
fn commit() -> String {
    let mut git = Command::new("git");
    git.args(["describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]);
    let output = git.current_dir(workspace_root()).output();
    let output = output.ok().filter(|output| output.status.success());
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    said.unwrap_or_default()
}

/// kube-proxy executes nft, which the machine may not have.
fn needs_tools(arguments: &[&str]) -> bool {
    let given = |flag: &str| {
        arguments.iter().any(|argument| {
            argument.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        })
    };
    given("--kube-proxy") && !given("--kube-proxy-path")
}

fn directory_of_nft() -> Result<PathBuf> {
    let nft = tools::nft(NFT)?;
    Ok(nft.parent().context("nft has no directory")?.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_lane_builds_is_measured_when_that_is_asked_for() {
        for (arguments, profile, rest) in [
            (&["--quick"][..], RELEASE, &["--quick"][..]),
            (&["--quick", "--ci"], LANE, &["--quick"]),
            (&["--ci", "--compare", BASELINE], LANE, &["--compare", BASELINE]),
        ] {
            assert_eq!(profile_of(arguments), (profile, rest.to_vec()), "{arguments:?}");
        }
    }

    #[test]
    fn a_kube_proxy_is_given_our_nft_unless_there_is_another() {
        for (arguments, expected) in [
            (&["--quick"][..], false),
            (&["--kube-proxy-mode", "iptables"], false),
            (&["--kube-proxy", "/bin/kube-proxy"], true),
            (&["--kube-proxy=/bin/kube-proxy"], true),
            (&["--kube-proxy=/bin/kube-proxy", "--kube-proxy-path", "/sbin"], false),
        ] {
            assert_eq!(needs_tools(arguments), expected, "{arguments:?}");
        }
    }
}
