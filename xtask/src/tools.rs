//! Programs that tests need and nobody should have to install.
//!
//! `nft` of each Debian release, with its own C library, unpacked below `target/tools`:
//!
//! ```text
//! target/tools/nft-bookworm/nft       a wrapper that starts usr/sbin/nft of root/
//! target/tools/nft-bookworm/root/     the packages, unpacked
//! target/tools/nft-bookworm/version   what `nft --version` said; written last
//! ```
//!
//! Beside them, of the same shape and fetched by `cargo xtask vm` when it needs them:
//! `qemu` and the kernels `linux-bullseye` and so on.

mod apt;
mod debian;
pub mod linux;
mod place;
pub mod qemu;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

pub use place::remove;

use crate::command::capture;

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

fn find_or_fetch(suite: Suite) -> Result<Nft> {
    if let Some(path) = std::env::var_os(suite.variable()).map(PathBuf::from) {
        let version = version_of(&path)
            .with_context(|| format!("the program named by {} does not run", suite.variable()))?;
        return Ok(Nft { suite, path, version });
    }
    let name = format!("nft-{}", suite.codename());
    let place =
        place::find_or_build(&name, |directory| build(suite, directory)).with_context(|| {
            format!(
                "cannot provide nft of Debian {}; set {} to a program to use instead",
                suite.codename(),
                suite.variable()
            )
        })?;
    Ok(Nft { suite, path: place.directory.join("nft"), version: place.version })
}

fn build(suite: Suite, directory: &Path) -> Result<String> {
    let root = directory.join("root");
    let everything = |_: &str| true;
    apt::unpack(suite, "nftables", everything, &directory.join("apt"), &root)?;
    let wrapper = directory.join("nft");
    fs::write(&wrapper, debian::wrapper(&root)?)?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    version_of(&wrapper)
}

fn version_of(nft: &Path) -> Result<String> {
    let text = capture(Command::new(nft).arg("--version"))?;
    match text.trim() {
        version if version.starts_with("nftables ") => Ok(version.to_owned()),
        other => bail!("{} printed {other:?} as its version", nft.display()),
    }
}
