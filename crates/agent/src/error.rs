//! What ends the agent.

use std::error::Error;
use std::io;

use portolan_core::BackendError;

use crate::sole_agent::Holder;

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
    #[error("cannot start a thread")]
    Thread(#[source] io::Error),
    /// The thread of the backend is gone. It catches panics, so this should not happen.
    #[error("the thread of the backend is gone")]
    ThreadEnded,
    /// The source of Services and EndpointSlices ended.
    #[error("the source of Services and EndpointSlices ended; see the log above for the reason")]
    SourceEnded,
    /// Another agent has the lock, which this one could not have when it started.
    #[error(
        "another Portolan agent works in this network namespace now ({0}), which did not notice \
         this one: two would undo each other's work. This one ends; started again, it waits"
    )]
    AnotherAgent(Holder),
    /// Signals cannot be caught.
    #[error("cannot install a signal handler")]
    Signals(#[source] io::Error),
}

/// An error and its sources in one line. A source that the line already ends with is not
/// repeated: many errors of libraries quote theirs.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    fn layers(texts: &[&'static str]) -> Layer {
        let below =
            texts.iter().rev().fold(None, |source, text| Some(Box::new(Layer { text, source })));
        *below.unwrap()
    }

    #[test]
    fn a_cause_that_stands_there_already_is_not_repeated() {
        let cases = [
            (&["a", "b", "c"][..], "a: b: c"),
            (&["cannot read: not found", "not found"], "cannot read: not found"),
            (&["not found", "not found", "no such file"], "not found: no such file"),
            (&["a: b: c", "b: c", "c"], "a: b: c"),
        ];
        for (texts, line) in cases {
            assert_eq!(chain(&layers(texts)), line);
        }
    }
}
