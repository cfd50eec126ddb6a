//! The first process of the machine of `cargo xtask vm`: it prepares the machine, runs the
//! test programs of the job, reports how they ended, and resets the machine, upon which
//! QEMU ends.

mod prepare;
mod programs;

use std::fs;

use anyhow::{Context, Result};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::termios::tcdrain;
use xtask::vm::job::{JOB, Job};

fn main() {
    if std::process::id() != 1 {
        eprintln!("error: this is the first process of the machine of `cargo xtask vm`");
        std::process::exit(2);
    }
    if let Err(error) = run() {
        eprintln!("error: {error:#}");
    }
    // What is still in the console's queue would be lost with the machine.
    tcdrain(std::io::stdout()).ok();
    let Err(error) = reboot(RebootMode::RB_AUTOBOOT);
    eprintln!("error: cannot reset the machine: {error}");
}

/// Whoever reads the results misses those of what could not be run.
fn run() -> Result<()> {
    prepare::mount_all()?;
    let text = fs::read_to_string(JOB).with_context(|| format!("cannot read {JOB}"))?;
    let job: Job = serde_json::from_str(&text).with_context(|| format!("cannot read {JOB}"))?;
    prepare::load(&job.modules)?;
    prepare::raise_loopback()?;
    programs::run_all(&job)
}
