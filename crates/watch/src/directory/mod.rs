//! A directory of manifests as a source.
//!
//! ```text
//!  inotify, poll ─▶ Look ─▶ Reader ─▶ file ─▶ documents ─▶ convert
//!                             │
//!                             └─▶ Catalogue (who owns which object) ─▶ what changed
//! ```
//!
//! Every `*.yaml`, `*.yml` and `*.json` in the directory is read, not those in
//! directories below it, as `kubectl apply -f DIRECTORY` does; symbolic links are
//! followed, so that a mounted ConfigMap works. Hidden files are left alone.
//!
//! A document that cannot be read costs only itself, and what its file is known to hold
//! stays in use until the file is mended or removed. A file whose writer has not closed
//! it is left alone until it has settled.
//!
//! A directory that was moved here is taken as it is. In one that was made again, files
//! that are missing count as deleted only once nothing was added to it for 5 seconds, or
//! after a minute.

mod catalogue;
mod contents;
mod documents;
mod file;
mod kind;
mod listing;
mod load;
mod presence;
mod reader;
mod split;
#[cfg(test)]
mod tests;
mod watch;

use std::path::{Path, PathBuf};

use portolan_core::Update;
use tokio::sync::mpsc;

pub use self::contents::Contents;
use self::reader::{Reader, SETTLE};
use self::watch::{DirectoryWatch, polling_pause};
use crate::error::WatchError;
use crate::event::{Notice, SourceEvent};

/// Which directory to read, and for whom.
#[derive(Clone, Debug)]
pub struct DirectoryConfig {
    /// The directory.
    pub path: PathBuf,
    /// The name of this node; other Node objects are ignored.
    pub node_name: String,
}

/// The state of a directory at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// The complete state: one [`Update::ServicesReset`], one
    /// [`Update::EndpointSlicesReset`], [`Update::NodeApplied`] if there is a Node of this
    /// name, one [`Update::ServiceCidrsReset`].
    pub updates: Vec<Update>,
    /// What is wrong, by file.
    pub problems: Vec<Notice>,
    /// What stands there, served or not.
    pub contents: Contents,
    /// Why there may be no Service, if there is none.
    pub without_service: Option<String>,
}

/// Reads a directory once.
///
/// # Errors
///
/// [`WatchError::Directory`] if the directory cannot be read. What is wrong with its files
/// is in [`Snapshot::problems`].
pub fn read_directory(path: &Path, node_name: &str) -> Result<Snapshot, WatchError> {
    let config = DirectoryConfig { path: path.to_owned(), node_name: node_name.to_owned() };
    let (reader, events) = open(config)?;
    let mut snapshot = Snapshot {
        updates: Vec::new(),
        problems: Vec::new(),
        contents: reader.contents(),
        without_service: reader.without_service(),
    };
    for event in events {
        match event {
            SourceEvent::Update(update) => snapshot.updates.push(update),
            SourceEvent::Problems { mut problems, .. } => snapshot.problems.append(&mut problems),
        }
    }
    Ok(snapshot)
}

fn open(config: DirectoryConfig) -> Result<(Reader, Vec<SourceEvent>), WatchError> {
    let path = config.path.clone();
    Reader::open(config).map_err(|source| WatchError::Directory { path, source })
}

/// Reads a directory and follows it until the receiver is gone. The first events are those
/// of [`read_directory`]; after them come only objects that really changed.
///
/// # Errors
///
/// [`WatchError::Directory`] if the directory cannot be read at start. If it becomes
/// unreadable later, its last state stays in use and the receiver is told.
pub async fn run_directory(
    config: DirectoryConfig,
    sender: mpsc::Sender<SourceEvent>,
) -> Result<(), WatchError> {
    // Before the first read, so that no change falls between the two.
    let mut watch = DirectoryWatch::start(&config.path);
    let (mut reader, mut events) = blocking(move || {
        let opened = open(config)?;
        if let Some(text) = opened.0.without_service() {
            tracing::warn!("{text}");
        }
        Ok::<_, WatchError>(opened)
    })
    .await??;
    loop {
        for event in events {
            if sender.send(event).await.is_err() {
                return Ok(());
            }
        }
        let pause = if reader.is_unsettled() { SETTLE } else { polling_pause(watch.is_live()) };
        let look = tokio::select! {
            () = sender.closed() => return Ok(()),
            look = watch.next(pause) => look,
        };
        (reader, events) = blocking(move || {
            let events = reader.look(look);
            (reader, events)
        })
        .await?;
    }
}

/// Off the thread that serves everything else: a large directory takes seconds to parse.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, WatchError> {
    tokio::task::spawn_blocking(work).await.map_err(WatchError::Reader)
}
