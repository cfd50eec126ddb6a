//! Packages of any Debian release, fetched with this machine's apt but into a state of our
//! own: nothing is installed, no root is needed, the machine's own lists stay untouched.
//!
//! Proxies and credentials are the machine's, because all of its `apt.conf.d` is read
//! before our settings. Signatures are always checked: a release that the machine's
//! keyring does not know is an error that says so, never trusted blindly.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::{Suite, debian};
use crate::command::capture;

/// Debian's keyring, where the package `debian-archive-keyring` puts it.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.pgp",
    "/usr/share/keyrings/debian-archive-keyring.gpg",
];

/// Fetches a package of a release, with all that it depends on, and unpacks those whose
/// file names are `wanted` into `root`. `state` is apt's while this runs and is removed
/// afterwards.
///
/// # Errors
/// When there is no apt, mirror or keyring, or any step of the download fails.
pub(super) fn unpack(
    suite: Suite,
    package: &str,
    wanted: impl Fn(&str) -> bool,
    state: &Path,
    root: &Path,
) -> Result<()> {
    let suite = suite.codename();
    fs::create_dir_all(root).with_context(|| format!("cannot create {}", root.display()))?;
    let mirror = debian::mirror()?;
    let configuration = prepare(suite, &mirror, state)?;
    capture(apt_get(&configuration).arg("update")).with_context(|| {
        format!(
            "cannot read the release {suite} from this machine's mirror of Debian; if its \
             signature was refused, the installed debian-archive-keyring is too old for it"
        )
    })?;
    capture(apt_get(&configuration).args(["install", "--yes", "--download-only", package]))
        .with_context(|| format!("cannot download {package} of the release {suite}"))?;
    for archive in archives(&state.join("cache/archives"))? {
        let name = archive.file_name().unwrap_or_default().to_string_lossy();
        if !wanted(&name) {
            continue;
        }
        capture(Command::new("dpkg-deb").arg("--extract").arg(&archive).arg(root))?;
    }
    fs::remove_dir_all(state)?;
    Ok(())
}

fn apt_get(configuration: &Path) -> Command {
    let mut command = Command::new("apt-get");
    command.arg("--quiet").arg("--config-file").arg(configuration);
    command
}

/// Writes an empty apt state with one source, and the configuration that points at it.
fn prepare(suite: &str, mirror: &str, state: &Path) -> Result<PathBuf> {
    let Some(keyring) = KEYRINGS.into_iter().find(|path| Path::new(path).is_file()) else {
        bail!("no Debian keyring here; install the package debian-archive-keyring");
    };
    fs::create_dir_all(state.join("lists/partial"))?;
    fs::create_dir_all(state.join("cache/archives/partial"))?;
    // An empty status file means that nothing is installed, so that the download is
    // complete, the C library included.
    fs::write(state.join("status"), "")?;
    let source = format!("deb [signed-by={keyring}] {mirror} {suite} main\n");
    fs::write(state.join("sources.list"), source)?;
    let configuration = state.join("apt.conf");
    fs::write(&configuration, settings(state))?;
    Ok(configuration)
}

/// What differs from the machine's own settings. Its hooks are cleared because they act on
/// the machine's own caches.
fn settings(state: &Path) -> String {
    let state = state.display();
    format!(
        r#"#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
Dir::State "{state}";
Dir::State::status "{state}/status";
Dir::Cache "{state}/cache";
Dir::Etc::SourceList "{state}/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Get::AllowUnauthenticated "false";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
"#
    )
}

fn archives(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut archives = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            archives.push(path);
        }
    }
    Ok(archives)
}
