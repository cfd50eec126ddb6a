//! Building test programs with Cargo, and choosing among their tests.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::job::Program;
use super::options::Options;
use super::suite;
use crate::command::{capture, capture_output, cargo};

/// Programs on this machine's disk.
#[derive(Clone, Debug)]
pub(super) struct Built {
    /// The first process of the machine.
    pub(super) init: PathBuf,
    /// The chosen test programs.
    pub(super) tests: Vec<TestProgram>,
    /// Programs of the same packages, which their tests may start.
    pub(super) others: Vec<PathBuf>,
}

/// A test program of a package.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TestProgram {
    package: String,
    test: String,
    path: PathBuf,
    directory: PathBuf,
}

/// Something that Cargo has built.
struct Artifact {
    package: String,
    target: String,
    is_test: bool,
    path: PathBuf,
    directory: PathBuf,
}

/// Builds the test programs that the options ask for.
///
/// # Errors
/// When the build fails, or there is no such program.
pub(super) fn build(options: &Options) -> Result<Built> {
    let mut names: Vec<&str> = if options.tests.is_empty() {
        suite::PROGRAMS.iter().map(|(_, test)| *test).collect()
    } else {
        options.tests.iter().map(String::as_str).collect()
    };
    names.sort_unstable();
    names.dedup();
    // All packages at once, because otherwise dependencies have other features than in
    // `cargo test --workspace`, and would be built again.
    let mut command = cargo(["test", "--workspace", "--no-run"]);
    command.arg("--message-format=json-render-diagnostics");
    for name in names {
        command.args(["--test", name]);
    }
    if options.release {
        command.arg("--release");
    }
    let artifacts = artifacts(&capture_output(&mut command)?);
    let mut tests: Vec<TestProgram> =
        artifacts.iter().filter_map(|it| chosen(it, options)).collect();
    tests.sort();
    if tests.is_empty() {
        let package = options.package.as_deref().unwrap_or("this workspace");
        bail!("{package} has no such test program; name others with `--test NAME`");
    }
    let of_them = |it: &&Artifact| !it.is_test && tests.iter().any(|t| t.package == it.package);
    let others = artifacts.iter().filter(of_them).map(|it| it.path.clone()).collect();
    Ok(Built { init: build_init()?, tests, others })
}

fn build_init() -> Result<PathBuf> {
    let mut command = cargo(["build", "--package", "xtask", "--bin", "vm-init"]);
    command.arg("--message-format=json-render-diagnostics");
    let artifacts = artifacts(&capture_output(&mut command)?);
    let init = artifacts.into_iter().find(|it| it.target == "vm-init");
    Ok(init.context("Cargo has built no vm-init")?.path)
}

fn chosen(artifact: &Artifact, options: &Options) -> Option<TestProgram> {
    let Artifact { package, target, path, directory, .. } = artifact;
    let wanted_package = options.package.as_deref().is_none_or(|wanted| {
        package == wanted || package.strip_prefix("portolan-") == Some(wanted)
    });
    let listed = suite::PROGRAMS.contains(&(package.as_str(), target.as_str()));
    let wanted = if options.tests.is_empty() { listed } else { options.tests.contains(target) };
    (artifact.is_test && wanted && wanted_package).then(|| TestProgram {
        package: package.clone(),
        test: target.clone(),
        path: path.clone(),
        directory: directory.clone(),
    })
}

/// The executables in Cargo's messages
/// (<https://doc.rust-lang.org/cargo/reference/external-tools.html>).
fn artifacts(messages: &str) -> Vec<Artifact> {
    messages.lines().filter_map(|line| artifact(&serde_json::from_str(line).ok()?)).collect()
}

fn artifact(message: &Value) -> Option<Artifact> {
    let text = |pointer| message.pointer(pointer).and_then(Value::as_str);
    Some(Artifact {
        path: text("/executable")?.into(),
        package: package_name(text("/package_id")?)?,
        target: text("/target/name")?.to_owned(),
        is_test: message.pointer("/profile/test")?.as_bool()?,
        directory: Path::new(text("/manifest_path")?).parent()?.to_owned(),
    })
}

/// The name in a package's specification: `…/nft#portolan-nft@0.1.0`, or `…/xtask#0.1.0`
/// where the directory is called like the package.
fn package_name(id: &str) -> Option<String> {
    let (location, fragment) = id.rsplit_once('#')?;
    let name = match fragment.split_once('@') {
        Some((name, _)) => name,
        None => location.rsplit('/').next()?,
    };
    Some(name.to_owned())
}

/// The programs that have tests of the options' filters, with the arguments to run these.
///
/// # Errors
/// When there are none: a name that is misspelt must not pass.
pub(super) fn matching(built: &Built, options: &Options) -> Result<Vec<Program>> {
    let mut programs = Vec::new();
    for test in &built.tests {
        let mut listing = Command::new(&test.path);
        let tests = capture(listing.arg("--list").args(&options.filters).args(&options.harness))?;
        if tests.lines().any(|line| line.ends_with(": test")) {
            programs.push(Program {
                name: format!("{}/{}", test.package, test.test),
                path: test.path.clone(),
                directory: test.directory.clone(),
                arguments: options.filters.iter().chain(&options.harness).cloned().collect(),
            });
        }
    }
    if programs.is_empty() {
        bail!("no test has a name with {}", options.filters.join(" or "));
    }
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_known_by_both_kinds_of_specification() {
        for (id, name) in [
            ("path+file:///w/crates/nft#portolan-nft@0.1.0", "portolan-nft"),
            ("path+file:///w/xtask#0.1.0", "xtask"),
        ] {
            assert_eq!(package_name(id).as_deref(), Some(name));
        }
    }

    #[test]
    fn only_executables_count() {
        let messages = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/crates/nft#portolan-nft@0.1.0","manifest_path":"/w/crates/nft/Cargo.toml","target":{"name":"kernel"},"profile":{"test":true},"executable":"/w/target/debug/deps/kernel-1"}
{"reason":"compiler-artifact","package_id":"path+file:///w/crates/nft#portolan-nft@0.1.0","manifest_path":"/w/crates/nft/Cargo.toml","target":{"name":"portolan_nft"},"profile":{"test":false},"executable":null}
{"reason":"build-finished","success":true}"#;
        let found = artifacts(messages);
        assert_eq!(found.len(), 1);
        let options = Options::lane(super::super::Kernel::USUAL);
        let test = chosen(found.first().unwrap(), &options).unwrap();
        assert_eq!(test.path, Path::new("/w/target/debug/deps/kernel-1"));
        assert_eq!(test.directory, Path::new("/w/crates/nft"));
        let other = Options { package: Some("netlink".to_owned()), ..options };
        assert_eq!(chosen(found.first().unwrap(), &other), None);
    }
}
