//! Debian's cloud kernels, unpacked: for the virtual machine, never for this one.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Suite, apt, place};

/// A kernel and its modules.
#[derive(Clone, Debug)]
pub struct Linux {
    /// What `uname -r` says in it.
    pub release: String,
    /// The compressed kernel.
    pub image: PathBuf,
    /// `lib/modules/RELEASE`, without what `depmod` would add at an installation.
    pub modules: PathBuf,
}

/// The cloud kernel of a release, which is fetched if it is not there.
///
/// # Errors
/// When it is not there and cannot be fetched.
pub fn ensure(suite: Suite) -> Result<Linux> {
    let name = format!("linux-{}", suite.codename());
    let place = place::find_or_build(&name, |directory| build(suite, directory))
        .with_context(|| format!("cannot provide the kernel of Debian {}", suite.codename()))?;
    let release = place.version;
    let root = place.directory.join("root");
    let modules = modules_directories(&root).map(|parent| parent.join(&release));
    let modules = modules.into_iter().find(|path| path.is_dir());
    let modules = modules.with_context(|| format!("no modules in {}", root.display()))?;
    // Where each release puts it: beside the modules from Debian 14 on.
    let images = [root.join(format!("boot/vmlinuz-{release}")), modules.join("vmlinuz")];
    let image = images.into_iter().find(|path| path.is_file());
    let image = image.with_context(|| format!("no kernel in {}", root.display()))?;
    Ok(Linux { release, image, modules })
}

/// The packages that a kernel depends on besides its own parts are for an installation.
fn build(suite: Suite, directory: &Path) -> Result<String> {
    let root = directory.join("root");
    let parts = |file: &str| file.starts_with("linux-");
    apt::unpack(suite, "linux-image-cloud-amd64", parts, &directory.join("apt"), &root)?;
    let releases = modules_directories(&root).into_iter().filter_map(|it| fs::read_dir(it).ok());
    let release = releases.flatten().next().context("the packages hold no modules")??;
    Ok(release.file_name().to_string_lossy().into_owned())
}

fn modules_directories(root: &Path) -> [PathBuf; 2] {
    [root.join("usr/lib/modules"), root.join("lib/modules")]
}
