//! `cargo xtask vm`: test programs on other kernels, in an emulated machine.
//!
//! The machine is a Debian cloud kernel and an initial file system with the test programs,
//! their libraries and the modules they need, and `vm-init` as the first process. The
//! programs are those that `cargo test` runs, at the same paths as here. QEMU emulates the
//! processors, so that this works inside other virtual machines and needs no rights.

mod archive;
mod image;
pub mod job;
mod machine;
mod modules;
pub mod options;
mod programs;
mod scratch;
mod suite;
mod summary;

use anyhow::{Result, bail};

use crate::tools::{linux, qemu::Qemu};
use job::{Finished, HEALTH, Job, Program};
use options::{Options, Place};
pub use suite::{Kernel, run_here_too, tests_apart};
use summary::Row;

/// Runs the chosen tests on the chosen kernels, and prints a closing summary.
///
/// # Errors
/// When a test failed, when no test was chosen, and when something that is needed could
/// not be fetched or built.
pub fn run(options: &Options) -> Result<()> {
    let built = programs::build(options)?;
    let programs = programs::matching(&built, options)?;
    let mut rows = Vec::new();
    for place in &options.places {
        let outcome = match place {
            Place::Host => machine::run_here(&programs, &options.variables),
            Place::Kernel(kernel) => emulate(*kernel, &programs, &built, &options.variables),
        };
        match outcome {
            Ok((release, finished)) => {
                let health = matches!(place, Place::Kernel(_)).then_some(HEALTH);
                let expected = programs.iter().map(|program| program.name.as_str()).chain(health);
                rows.extend(summary::rows(&release, expected, &finished));
            }
            Err(error) => {
                println!("error: {place}: {error:#}");
                rows.push(Row::nothing_ran(place.to_string()));
            }
        }
    }
    summary::print(&rows)
}

/// Boots the kernel for the programs. Returns what `uname -r` says, and the results.
fn emulate(
    kernel: Kernel,
    programs: &[Program],
    built: &programs::Built,
    variables: &[(String, String)],
) -> Result<(String, Vec<Finished>)> {
    if std::env::consts::ARCH != "x86_64" {
        bail!("the emulated machine has x86-64 processors, and programs built here do not fit");
    }
    let linux = linux::ensure(kernel.suite())?;
    let qemu = Qemu::ensure()?;
    let directory = scratch::directory()?;
    let modules = modules::in_load_order(&linux.modules)?;
    let job = Job {
        modules: modules.iter().map(|it| image::place_of(&it.name)).collect(),
        variables: options::passed_on(std::env::vars())
            .into_iter()
            .chain(variables.iter().cloned())
            .collect(),
        programs: programs.to_vec(),
    };
    let archive = directory.path().join("initramfs");
    image::write(&archive, &job, &modules, built)?;
    println!("\n{} in QEMU: {} programs", linux.release, programs.len());
    let finished = machine::run(&qemu, &linux.image, &archive, directory.path())?;
    Ok((linux.release, finished))
}
