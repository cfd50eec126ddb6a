//! Programs that tests need and nobody should have to install.
//!
//! `nft` of each Debian release, with its own C library, unpacked below `target/tools`:
//!
//! ```text
//! target/tools/nft-bookworm/nft       a wrapper that starts usr/sbin/nft of root/
//! target/tools/nft-bookworm/root/     the packages, unpacked
//! target/tools/nft-bookworm/version   what `nft --version` said; written last
//! ```

mod apt;
mod debian;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::{capture, target_directory};

/// A Debian release whose `nft` the tests use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// Debian 11: nft 0.9.8, the oldest that must list our table.
    Bullseye,
    /// Debian 12: nft 1.0.6, the oldest that must also load it.
    Bookworm,
    /// Debian 13: nft 1.1.3.
    Trixie,
    /// Debian unstable: the newest.
    Sid,
}

impl Suite {
    /// All of them, oldest first.
    pub const ALL: [Suite; 4] = [Suite::Bullseye, Suite::Bookworm, Suite::Trixie, Suite::Sid];

    /// The name of the release in a mirror.
    pub const fn codename(self) -> &'static str {
        match self {
            Suite::Bullseye => "bullseye",
            Suite::Bookworm => "bookworm",
            Suite::Trixie => "trixie",
            Suite::Sid => "sid",
        }
    }

    /// The environment variable by which tests find this release's `nft`. If it is set
    /// already, its program is used and nothing is fetched.
    pub const fn variable(self) -> &'static str {
        match self {
            Suite::Bullseye => "PORTOLAN_NFT_BULLSEYE",
            Suite::Bookworm => "PORTOLAN_NFT_BOOKWORM",
            Suite::Trixie => "PORTOLAN_NFT_TRIXIE",
            Suite::Sid => "PORTOLAN_NFT_SID",
        }
    }
}

/// An `nft` that runs on this machine.
#[derive(Clone, Debug)]
pub struct Nft {
    /// The release that it is from.
    pub suite: Suite,
    /// What to execute.
    pub path: PathBuf,
    /// What `nft --version` prints.
    pub version: String,
}

/// The path of a release's `nft`, which is fetched if it is not there.
///
/// # Errors
/// When it is not there and cannot be fetched, or does not run.
pub fn nft(suite: Suite) -> Result<PathBuf> {
    find_or_fetch(suite).map(|nft| nft.path)
}

/// Every release's `nft`. What is there already needs no network.
///
/// # Errors
/// As [`nft`], for the first release that fails.
pub fn ensure() -> Result<Vec<Nft>> {
    Suite::ALL.into_iter().map(find_or_fetch).collect()
}

/// Removes everything that was fetched.
///
/// # Errors
/// When a directory cannot be removed.
pub fn remove() -> Result<()> {
    let directory = directory();
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}

fn directory() -> PathBuf {
    target_directory().join("tools")
}

fn find_or_fetch(suite: Suite) -> Result<Nft> {
    if let Some(path) = std::env::var_os(suite.variable()).map(PathBuf::from) {
        let version = version_of(&path)
            .with_context(|| format!("the program named by {} does not run", suite.variable()))?;
        return Ok(Nft { suite, path, version });
    }
    let place = directory().join(format!("nft-{}", suite.codename()));
    if !place.join("version").is_file() {
        eprintln!("fetching nftables of Debian {} into {}", suite.codename(), place.display());
        fetch(suite, &place).with_context(|| {
            format!(
                "cannot provide nft of Debian {}; set {} to a program to use instead",
                suite.codename(),
                suite.variable()
            )
        })?;
    }
    let version = fs::read_to_string(place.join("version"))?;
    Ok(Nft { suite, path: place.join("nft"), version: version.trim().to_owned() })
}

/// Builds the directory beside its place and moves it there whole, so that an interrupted
/// run leaves nothing that looks complete.
fn fetch(suite: Suite, place: &Path) -> Result<()> {
    let draft = place.with_extension(format!("{}.draft", std::process::id()));
    let result = build(suite, &draft).and_then(|()| {
        if place.exists() {
            fs::remove_dir_all(place)?;
        }
        fs::rename(&draft, place).with_context(|| format!("cannot create {}", place.display()))
    });
    if result.is_err() {
        // Whatever is wrong with the directory, the first error is the one to report.
        fs::remove_dir_all(&draft).ok();
    }
    result
}

fn build(suite: Suite, directory: &Path) -> Result<()> {
    let root = directory.join("root");
    fs::create_dir_all(&root).with_context(|| format!("cannot create {}", root.display()))?;
    apt::unpack(suite.codename(), "nftables", &directory.join("apt"), &root)?;
    let wrapper = directory.join("nft");
    fs::write(&wrapper, debian::wrapper(&root)?)?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    fs::write(directory.join("version"), version_of(&wrapper)?)?;
    Ok(())
}

fn version_of(nft: &Path) -> Result<String> {
    let text = capture(Command::new(nft).arg("--version"))?;
    match text.trim() {
        version if version.starts_with("nftables ") => Ok(version.to_owned()),
        other => bail!("{} printed {other:?} as its version", nft.display()),
    }
}
