//! Where this machine gets Debian's packages from, and how an unpacked one is started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::capture;

/// Names a mirror on machines whose own apt has none, such as Ubuntu.
const MIRROR_VARIABLE: &str = "PORTOLAN_DEBIAN_MIRROR";

/// Suites of Debian's main archive under which a machine may know its mirror.
const SUITES: [&str; 8] =
    ["bullseye", "bookworm", "trixie", "sid", "oldstable", "stable", "testing", "unstable"];

/// The address of the Debian mirror that this machine's apt uses.
///
/// # Errors
/// When apt is missing or knows no mirror of Debian.
pub(super) fn mirror() -> Result<String> {
    if let Ok(mirror) = std::env::var(MIRROR_VARIABLE) {
        return Ok(mirror);
    }
    // Of the ways to ask apt for its sources, this one alone works without lists, as in a
    // fresh container. It fetches nothing.
    let addresses = capture(Command::new("apt-get").args(["update", "--print-uris"]))
        .context("this needs apt, to fetch Debian's packages (without installing them)")?;
    match first_mirror(&addresses) {
        Some(mirror) => Ok(mirror.to_owned()),
        None => {
            bail!("apt knows no mirror of Debian here; set {MIRROR_VARIABLE} to the address of one")
        }
    }
}

/// The mirror in lines such as `'MIRROR/dists/bookworm/InRelease' NAME 0`: the
/// first called `debian`, as nearly all are, else the first with a suite of that name.
fn first_mirror(addresses: &str) -> Option<&str> {
    let mirrors = || {
        addresses.lines().filter_map(|line| {
            let address = line.strip_prefix('\'')?.split('\'').next()?;
            let (mirror, suite) = address.strip_suffix("/InRelease")?.split_once("/dists/")?;
            SUITES.contains(&suite).then_some(mirror)
        })
    };
    mirrors().find(|mirror| mirror.ends_with("/debian")).or_else(|| mirrors().next())
}

/// What starts a program of an unpacked release: its own loader and C library, never the
/// machine's, because either of the two may be too old for the other.
#[derive(Clone, Debug)]
pub(super) struct Loader {
    program: PathBuf,
    libraries: Vec<PathBuf>,
}

impl Loader {
    /// That of the packages unpacked in `root`.
    ///
    /// # Errors
    /// When `root` holds no loader.
    pub(super) fn of(root: &Path) -> Result<Loader> {
        let libraries = library_directories(root)?;
        let Some(program) = libraries.iter().find_map(|directory| loader_in(directory)) else {
            bail!("no ld.so in the packages that were unpacked in {}", root.display());
        };
        Ok(Loader { program, libraries })
    }

    /// A command that starts `program`, which looks for libraries in `further` directories
    /// as well.
    pub(super) fn command(&self, program: &Path, further: &[PathBuf]) -> Command {
        let directories: Vec<_> =
            self.libraries.iter().chain(further).map(|it| it.to_string_lossy()).collect();
        let mut command = Command::new(&self.program);
        command.arg("--library-path").arg(directories.join(":")).arg(program);
        command
    }
}

/// The text of a shell script, to be put beside `root`, that runs `usr/sbin/nft` of it.
///
/// # Errors
/// When `root` holds no loader.
pub(super) fn wrapper(root: &Path) -> Result<String> {
    let loader = Loader::of(root)?;
    let inside = |path: &Path| -> Result<String> {
        Ok(format!("$here/root/{}", path.strip_prefix(root)?.display()))
    };
    let library_path: Vec<String> =
        loader.libraries.iter().map(|directory| inside(directory)).collect::<Result<_>>()?;
    Ok(format!(
        "#!/bin/sh\nhere=${{0%/*}}\nexec \"{}\" --library-path \"{}\" \"$here/root/usr/sbin/nft\" \"$@\"\n",
        inside(&loader.program)?,
        library_path.join(":")
    ))
}

/// `lib/TRIPLET` and `usr/lib/TRIPLET`: releases differ in which of them they use.
fn library_directories(root: &Path) -> Result<Vec<PathBuf>> {
    let mut directories = Vec::new();
    for parent in [root.join("lib"), root.join("usr/lib")] {
        let Ok(entries) = fs::read_dir(&parent) else { continue };
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            if name.is_some_and(|name| name.contains("-linux-gnu")) {
                directories.push(path);
            }
        }
    }
    Ok(directories)
}

fn loader_in(directory: &Path) -> Option<PathBuf> {
    let names = fs::read_dir(directory)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut loaders: Vec<String> =
        names.filter(|name| name.starts_with("ld-linux") && name.contains(".so.")).collect();
    loaders.sort();
    loaders.first().map(|name| directory.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_that_of_the_main_archive() {
        let addresses = "'VENDOR/linux/dists/stable/InRelease' name 0\n\
                         'MIRROR/debian-security/dists/bookworm-security/InRelease' name 0\n\
                         'MIRROR/debian/dists/bookworm/InRelease' name 0\n\
                         'MIRROR/debian/dists/bookworm/main/binary-amd64/Packages.xz' name 0\n";
        assert_eq!(first_mirror(addresses), Some("MIRROR/debian"));
    }

    #[test]
    fn a_mirror_of_another_name_is_known_by_its_suite() {
        let addresses = "'MIRROR/cache/dists/sid/InRelease' name 0\n";
        assert_eq!(first_mirror(addresses), Some("MIRROR/cache"));
    }

    #[test]
    fn another_distribution_has_no_mirror_of_debian() {
        assert_eq!(first_mirror("'MIRROR/ubuntu/dists/noble/InRelease' name 0\n"), None);
        assert_eq!(first_mirror("E: it is broken\n"), None);
    }

    #[test]
    fn a_root_without_a_loader_is_refused() {
        assert!(wrapper(Path::new("/nonexistent")).is_err());
    }
}
