//! The initial file system: the first process, the programs, their libraries, modules and
//! the job.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::NamedTempFile;

use super::archive::Archive;
use super::job::{JOB, Job};
use super::modules::Module;
use super::programs::Built;
use crate::command::capture;

/// Where the machine has a module.
pub(super) fn place_of(module: &str) -> PathBuf {
    PathBuf::from(format!("/modules/{module}.ko"))
}

/// Writes the file system for a job.
///
/// # Errors
/// When a file cannot be read, its libraries are unknown, or the archive cannot be written.
pub(super) fn write(path: &Path, job: &Job, modules: &[Module], built: &Built) -> Result<()> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    let mut archive = Archive::new(BufWriter::new(file));
    let programs = job.programs.iter().map(|program| &program.path).chain(&built.others);
    let mut libraries = libraries(&built.init)?;
    archive.file(Path::new("/init"), &std::fs::read(&built.init)?)?;
    for program in programs {
        archive.file(program, &without_debug_data(program)?)?;
        libraries.extend(self::libraries(program)?);
    }
    for library in &libraries {
        archive.copy(library)?;
    }
    for module in modules {
        archive.file(&place_of(&module.name), &module.content)?;
    }
    archive.file(Path::new(JOB), serde_json::to_string(job)?.as_bytes())?;
    archive.finish()?;
    Ok(())
}

/// A program without what only a debugger wants: the machine's memory has to hold all of
/// them, twice while its kernel unpacks them. Names of functions stay.
fn without_debug_data(program: &Path) -> Result<Vec<u8>> {
    let stripped = NamedTempFile::new().context("cannot create a temporary file")?;
    let mut strip = Command::new("strip");
    capture(strip.arg("--strip-debug").arg("-o").arg(stripped.path()).arg(program))
        .context("`strip` of binutils, which a C compiler comes with, makes programs small")?;
    std::fs::read(stripped.path()).with_context(|| format!("cannot read {}", program.display()))
}

/// The C library's loader and all libraries that it would load for a program, by the paths
/// at which it looks for them.
fn libraries(program: &Path) -> Result<BTreeSet<PathBuf>> {
    let listing = capture(Command::new("ldd").arg(program))?;
    Ok(absolute_paths(&listing))
}

fn absolute_paths(listing: &str) -> BTreeSet<PathBuf> {
    listing.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_and_the_libraries_are_found_and_what_the_kernel_provides_is_not() {
        let listing = "\tlinux-vdso.so.1 (0x00007ffd)\n\
                       \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
                       \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let found: Vec<PathBuf> = absolute_paths(listing).into_iter().collect();
        let expected = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(found, expected.map(PathBuf::from));
    }

    #[test]
    fn programs_lose_what_only_a_debugger_wants() {
        let program = std::env::current_exe().unwrap();
        let (before, after) = (std::fs::read(&program).unwrap(), without_debug_data(&program));
        let after = after.unwrap();
        assert_eq!(before.get(..4), after.get(..4));
        assert!(after.len() < before.len(), "{} {}", before.len(), after.len());
    }

    #[test]
    fn a_program_has_libraries() {
        let libraries = libraries(&std::env::current_exe().unwrap()).unwrap();
        assert!(libraries.iter().any(|path| path.to_string_lossy().contains("libc.")));
    }
}
