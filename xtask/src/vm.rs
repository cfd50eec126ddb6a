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
mod suite;

use std::fs;

use anyhow::{Context, Result, bail};

use crate::command::target_directory;
use crate::tools::{linux, qemu::Qemu};
use job::{Finished, Job, Program};
use options::{Options, Place};
pub use suite::{Kernel, tests_apart};

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
            Place::Host => machine::run_here(&programs),
            Place::Kernel(kernel) => emulate(*kernel, &programs, &built),
        };
        match outcome {
            Ok((release, finished)) => rows.extend(judge(&release, &programs, &finished)),
            Err(error) => {
                println!("error: {place}: {error:#}");
                rows.push(Row { machine: place.to_string(), name: String::new(), verdict: None });
            }
        }
    }
    summary(&rows)
}

/// Boots the kernel for the programs. Returns what `uname -r` says, and the results.
fn emulate(
    kernel: Kernel,
    programs: &[Program],
    built: &programs::Built,
) -> Result<(String, Vec<Finished>)> {
    if std::env::consts::ARCH != "x86_64" {
        bail!("the emulated machine has x86-64 processors, and programs built here do not fit");
    }
    let linux = linux::ensure(kernel.suite())?;
    let qemu = Qemu::ensure()?;
    let parent = target_directory().join("vm");
    fs::create_dir_all(&parent).with_context(|| format!("cannot create {}", parent.display()))?;
    let directory = tempfile::Builder::new().prefix("machine-").tempdir_in(&parent)?;
    let modules = modules::in_load_order(&linux.modules)?;
    let job = Job {
        modules: modules.iter().map(|it| image::place_of(&it.name)).collect(),
        variables: options::passed_on(std::env::vars()),
        programs: programs.to_vec(),
    };
    let archive = directory.path().join("initramfs");
    image::write(&archive, &job, &modules, built)?;
    println!("\n{} in QEMU: {} programs", linux.release, programs.len());
    let finished = machine::run(&qemu, &linux.image, &archive, directory.path())?;
    Ok((linux.release, finished))
}

/// A line of the summary. Without a verdict nothing ran.
struct Row {
    machine: String,
    name: String,
    verdict: Option<(Option<i32>, u64)>,
}

/// One row for each program, whether or not the machine has reported it.
fn judge(release: &str, programs: &[Program], finished: &[Finished]) -> Vec<Row> {
    let row = |program: &Program| {
        let report = finished.iter().find(|it| it.name == program.name);
        let verdict = report.map(|it| (it.code, it.milliseconds));
        Row { machine: release.to_owned(), name: program.name.clone(), verdict }
    };
    programs.iter().map(row).collect()
}

fn summary(rows: &[Row]) -> Result<()> {
    println!("\n{:<28} {:<28} {:<8} {:>9}", "kernel", "test", "result", "duration");
    for Row { machine, name, verdict } in rows {
        let (word, duration) = match verdict {
            Some((code, milliseconds)) => {
                let seconds = std::time::Duration::from_millis(*milliseconds).as_secs_f64();
                (if *code == Some(0) { "ok" } else { "FAILED" }, format!("{seconds:.1} s"))
            }
            None => ("NOT RUN", String::new()),
        };
        println!("{machine:<28} {name:<28} {word:<8} {duration:>9}");
    }
    let failed = rows.iter().filter(|row| !matches!(row.verdict, Some((Some(0), _)))).count();
    if failed > 0 {
        bail!("{failed} of {} failed or did not run; the output above says why", rows.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(name: &str) -> Program {
        Program {
            name: name.to_owned(),
            path: "/a".into(),
            directory: "/".into(),
            arguments: vec![],
        }
    }

    fn finished(name: &str, code: Option<i32>) -> Finished {
        Finished { name: name.to_owned(), code, milliseconds: 1 }
    }

    #[test]
    fn only_a_program_that_reported_success_has_passed() {
        let programs = [program("a"), program("b")];
        for (reports, passes) in [
            (vec![finished("a", Some(0)), finished("b", Some(0))], true),
            (vec![finished("a", Some(0)), finished("b", Some(101))], false),
            (vec![finished("a", Some(0)), finished("b", None)], false),
            (vec![finished("a", Some(0))], false),
            (vec![], false),
        ] {
            let rows = judge("6.1", &programs, &reports);
            assert_eq!(rows.len(), 2);
            assert_eq!(summary(&rows).is_ok(), passes, "{reports:?}");
        }
    }
}
