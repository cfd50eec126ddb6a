//! Why a source could not start or had to end.

use std::path::PathBuf;

/// A failure of a source. What is wrong with single objects or files is no failure: it is
/// reported as [`crate::Notice`] and the rest is served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WatchError {
    /// The directory of manifests cannot be read at start.
    #[error(
        "cannot read the directory of manifests {path}: does it exist, and may this user read it?"
    )]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: std::io::Error,
    },
    /// The thread that reads files ended before its time, by a panic or at shutdown.
    #[error("the thread that reads manifests ended")]
    Reader(#[source] tokio::task::JoinError),
}
