//! Directories below `target/tools`, each made whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::target_directory;

/// A directory that holds something fetched.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The directory.
    pub(super) directory: PathBuf,
    /// The version of what is in it.
    pub(super) version: String,
}

/// The directory `name`. If it is not there, `build` fills it and returns the version of
/// what it put there.
///
/// It is filled beside its place and moved there whole, so that an interrupted run leaves
/// nothing that looks complete.
///
/// # Errors
/// Those of `build`, and when the directory cannot be read or created.
pub(super) fn find_or_build(
    name: &str,
    build: impl FnOnce(&Path) -> Result<String>,
) -> Result<Place> {
    let directory = tools_directory().join(name);
    let mark = directory.join("version");
    if !mark.is_file() {
        eprintln!("fetching {name} into {}", directory.display());
        let draft = directory.with_extension(format!("{}.draft", std::process::id()));
        let result = fill(&draft, build).and_then(|()| settle(&draft, &directory));
        if result.is_err() {
            // Whatever is wrong with the directory, the first error is the one to report.
            fs::remove_dir_all(&draft).ok();
        }
        result?;
    }
    let version = fs::read_to_string(&mark)
        .with_context(|| format!("cannot read {}", mark.display()))?
        .trim()
        .to_owned();
    Ok(Place { directory, version })
}

/// Removes everything that was fetched.
///
/// # Errors
/// When a directory cannot be removed.
pub fn remove() -> Result<()> {
    let directory = tools_directory();
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", directory.display()))
        }
        _ => Ok(()),
    }
}

fn tools_directory() -> PathBuf {
    target_directory().join("tools")
}

fn fill(draft: &Path, build: impl FnOnce(&Path) -> Result<String>) -> Result<()> {
    fs::create_dir_all(draft).with_context(|| format!("cannot create {}", draft.display()))?;
    let version = build(draft)?;
    Ok(fs::write(draft.join("version"), version)?)
}

fn settle(draft: &Path, directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::rename(draft, directory).with_context(|| format!("cannot create {}", directory.display()))
}
