//! Directories that are gone when the program is, also when it is interrupted.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// Those that there are now.
static DIRECTORIES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// What shells say of a program that SIGINT has ended (128 and the number of the signal).
const INTERRUPTED: i32 = 130;
const TERMINATED: i32 = 143;

/// A temporary directory, until it is dropped or the program is interrupted.
#[derive(Debug)]
pub(crate) struct Scratch(TempDir);

impl Scratch {
    pub(crate) fn new() -> io::Result<Scratch> {
        let directory = tempfile::tempdir()?;
        directories().push(directory.path().to_owned());
        Ok(Scratch(directory))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        directories().retain(|path| path != self.0.path());
    }
}

/// Removes all directories of this program on SIGINT and SIGTERM, and ends it. The handlers
/// are its own: programs that it executes have the usual ones.
///
/// # Errors
///
/// If there is no thread to be had, or no handler.
pub fn remove_when_interrupted() -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let entered = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    drop(entered);
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let code = runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => INTERRUPTED,
                _ = terminate.recv() => TERMINATED,
            }
        });
        remove_all();
        std::process::exit(code);
    })?;
    Ok(())
}

fn remove_all() {
    // What cannot be removed is left to whoever cleans up the directory that it is in.
    directories().drain(..).for_each(|path| drop(fs::remove_dir_all(path)));
}

fn directories() -> MutexGuard<'static, Vec<PathBuf>> {
    DIRECTORIES.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_go_with_their_owner_or_all_at_once() {
        let (dropped, kept) = (Scratch::new().unwrap(), Scratch::new().unwrap());
        fs::write(kept.path().join("log"), "text").unwrap();
        let gone = dropped.path().to_owned();
        drop(dropped);
        assert!(!gone.exists() && kept.path().exists());
        let known = directories().clone();
        assert!(!known.contains(&gone) && known.contains(&kept.path().to_owned()));
        remove_all();
        assert!(!kept.path().exists());
    }
}
