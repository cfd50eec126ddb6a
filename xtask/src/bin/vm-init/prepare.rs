//! File systems, modules and the loopback.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};
use nix::mount::{MsFlags, mount};

const MOUNTS: [(&str, &str); 3] = [("devtmpfs", "/dev"), ("proc", "/proc"), ("sysfs", "/sys")];

/// Nothing is mounted here: the initial file system can be written to, and where the sources
/// are below one of these, so are the programs that are to be run.
const DIRECTORIES: [&str; 2] = ["/run", "/tmp"];

/// Mounts what programs expect of every Linux machine.
pub(super) fn mount_all() -> Result<()> {
    for (kind, place) in MOUNTS {
        fs::create_dir_all(place)?;
        match mount(Some(kind), place, Some(kind), MsFlags::empty(), None::<&Path>) {
            // Some kernels mount /dev themselves.
            Ok(()) | Err(Errno::EBUSY) => {}
            Err(errno) => return Err(errno).with_context(|| format!("cannot mount {place}")),
        }
    }
    DIRECTORIES.iter().try_for_each(fs::create_dir_all)?;
    Ok(())
}

/// Loads modules in the order given.
pub(super) fn load(modules: &[PathBuf]) -> Result<()> {
    for path in modules {
        let file = File::open(path).with_context(|| format!("no module {}", path.display()))?;
        match finit_module(file, c"", ModuleInitFlags::empty()) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => {
                return Err(errno).with_context(|| format!("cannot load {}", path.display()));
            }
        }
    }
    Ok(())
}

/// Sets IFF_UP on `lo` (`include/uapi/linux/if.h`).
pub(super) fn raise_loopback() -> Result<()> {
    fs::write("/sys/class/net/lo/flags", "0x1").context("cannot set up lo")
}
