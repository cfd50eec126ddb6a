//! What ends the agent.

use std::error::Error;
use std::io;

use portolan_core::BackendError;

/// What ends the agent. A failure to program the kernel does not: it is retried.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The backend does not work on this machine, or not with these permissions.
    #[error("the backend cannot be used")]
    Backend(#[source] BackendError),
    /// The backend panicked before it was of any use.
    #[error("the backend panicked while it was opened: {0}")]
    BackendPanicked(String),
    /// The operating system gave no thread.
    #[error("cannot start a thread for the backend")]
    Thread(#[source] io::Error),
    /// The thread of the backend is gone. It catches panics, so this should not happen.
    #[error("the thread of the backend is gone")]
    ThreadEnded,
    /// The source of Services and EndpointSlices ended.
    #[error("the source of Services and EndpointSlices ended; see the log above for the reason")]
    SourceEnded,
    /// Signals cannot be caught.
    #[error("cannot install a signal handler")]
    Signals(#[source] io::Error),
}

/// An error and its sources in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
