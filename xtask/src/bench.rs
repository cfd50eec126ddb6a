//! `cargo xtask bench`: builds the agent and what measures it, and runs that.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{cargo, run, target_directory, workspace_root};
use crate::tools::{self, Suite};

/// How the agent is built whose figures count: as for its users.
pub const RELEASE: &str = "release";
/// How the lane builds it, in less time (see `Cargo.toml`).
const LANE: &str = "bench-ci";
/// What the lane compares its run with.
const BASELINE: &str = "benches/baseline.json";

/// The nft that a kube-proxy is given. It needs 1.0.1 or newer, with JSON.
const NFT: Suite = Suite::Trixie;

/// Builds both programs with a profile and measures as the arguments say. Relative paths in
/// them start at the root of the workspace.
///
/// # Errors
/// When something cannot be built or measured, or is worse than a baseline.
pub fn measure(profile: &str, arguments: &[&str]) -> Result<()> {
    // At once, because each alone would have its dependencies with other features.
    let packages = ["--package", "portolan", "--package", "portolan-bench"];
    run(cargo(["build", "--profile", profile]).args(packages))?;
    let mut command = Command::new(target_directory().join(profile).join("portolan-bench"));
    command.current_dir(workspace_root()).args(arguments);
    if needs_tools(arguments) {
        command.arg("--kube-proxy-path").arg(directory_of_nft()?);
    }
    run(&mut command)
}

/// The quick size, compared with the baseline.
///
/// # Errors
/// As [`measure`].
pub fn lane() -> Result<()> {
    measure(LANE, &["--quick", "--no-progress", "--compare", BASELINE])
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
