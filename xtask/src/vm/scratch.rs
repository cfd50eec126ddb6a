//! A directory for the files of one machine: its file system, and what it reports.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::command::target_directory;

const PREFIX: &str = "machine-";

/// A new directory below `target/vm`, which goes when the value is dropped. Those of
/// processes that were killed before they could do so go now.
///
/// # Errors
/// When it cannot be created.
pub(super) fn directory() -> Result<TempDir> {
    let parent = target_directory().join("vm");
    fs::create_dir_all(&parent).with_context(|| format!("cannot create {}", parent.display()))?;
    remove_abandoned(&parent, Path::new("/proc"))?;
    create(&parent, std::process::id())
}

fn create(parent: &Path, owner: u32) -> Result<TempDir> {
    let prefix = format!("{PREFIX}{owner}-");
    let directory = tempfile::Builder::new().prefix(&prefix).tempdir_in(parent);
    directory.with_context(|| format!("cannot create a directory in {}", parent.display()))
}

fn remove_abandoned(parent: &Path, processes: &Path) -> Result<()> {
    for entry in fs::read_dir(parent)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let owner = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|owner| !processes.join(owner).exists()) {
            // Another process may do the same at this moment.
            fs::remove_dir_all(&path).ok();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_goes_and_nothing_else() {
        let (parent, processes) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(processes.path().join("11")).unwrap();
        let in_use = create(parent.path(), 11).unwrap();
        let abandoned = create(parent.path(), 12).unwrap().keep();
        let other = parent.path().join("other");
        fs::create_dir(&other).unwrap();
        remove_abandoned(parent.path(), processes.path()).unwrap();
        assert!(in_use.path().exists() && other.exists());
        assert!(!abandoned.exists());
    }
}
