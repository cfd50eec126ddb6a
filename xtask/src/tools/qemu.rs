//! QEMU for x86-64, of Debian 12, unpacked with its firmware and libraries.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::debian::Loader;
use super::{Suite, apt, place};
use crate::command::capture;

const PROGRAM: &str = "usr/bin/qemu-system-x86_64";

/// A QEMU that runs on this machine.
#[derive(Clone, Debug)]
pub struct Qemu {
    root: PathBuf,
    loader: Loader,
}

impl Qemu {
    /// QEMU, which is fetched if it is not there.
    ///
    /// # Errors
    /// When it is not there and cannot be fetched, or does not run.
    pub fn ensure() -> Result<Qemu> {
        let place = place::find_or_build("qemu", build).context("cannot provide QEMU")?;
        Qemu::of(&place.directory.join("root"))
    }

    /// A command that starts it, with its own firmware and accelerators.
    pub fn command(&self) -> Command {
        let libraries = self.root.join("usr/lib/x86_64-linux-gnu");
        let mut command =
            self.loader.command(&self.root.join(PROGRAM), &[libraries.join("pulseaudio")]);
        command.env("QEMU_MODULE_DIR", libraries.join("qemu"));
        for firmware in ["usr/share/qemu", "usr/share/seabios"] {
            command.arg("-L").arg(self.root.join(firmware));
        }
        command
    }

    fn of(root: &Path) -> Result<Qemu> {
        Ok(Qemu { root: root.to_owned(), loader: Loader::of(root)? })
    }
}

fn build(directory: &Path) -> Result<String> {
    let root = directory.join("root");
    let everything = |_: &str| true;
    let state = directory.join("apt");
    apt::unpack(Suite::Bookworm, "qemu-system-x86", everything, &state, &root)?;
    let text = capture(Qemu::of(&root)?.command().arg("--version"))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
