//! The client's end of the control socket.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::protocol::{Answer, AnswerLine, Request, VERSION};

/// Longer than the agent takes for any answer but the next.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Tens of thousands of virtual servers, on a busy machine.
const SWITCH_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Why an agent gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// Nobody listens, or not for us.
    #[error(
        "no agent can be asked at {path}: is `portolan run` running on this node, as the same \
         user and with this --control-socket?"
    )]
    Connect {
        /// The control socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The conversation broke off.
    #[error("the agent at {path} did not answer")]
    Conversation {
        /// The control socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The agent speaks another language.
    #[error("the answer of the agent at {path} cannot be read; is it of another release?")]
    Answer {
        /// The control socket.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// The agent refused.
    #[error("the agent at {path} says: {reason}")]
    Refused {
        /// The control socket.
        path: PathBuf,
        /// Its words.
        reason: String,
    },
}

/// Asks the agent that listens at `path`. Blocks, for 15 s without any progress at most,
/// and for 5 minutes while the backend changes.
pub fn query(path: &Path, request: Request) -> Result<Answer, ControlError> {
    let owned = || path.to_owned();
    let stream = UnixStream::connect(path)
        .map_err(|source| ControlError::Connect { path: owned(), source })?;
    let text = converse(stream, request)
        .map_err(|source| ControlError::Conversation { path: owned(), source })?;
    let line: AnswerLine = serde_json::from_slice(&text)
        .map_err(|source| ControlError::Answer { path: owned(), source })?;
    match line.answer {
        Answer::Error(reason) => Err(ControlError::Refused { path: owned(), reason }),
        answer => Ok(answer),
    }
}

fn converse(mut stream: UnixStream, request: Request) -> io::Result<Vec<u8>> {
    let timeout = match request {
        Request::Dump | Request::Explain(_) => TIMEOUT,
        Request::Switch(_) => SWITCH_TIMEOUT,
    };
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let mut line = serde_json::to_vec(&serde_json::json!({
        "version": VERSION,
        "request": request,
    }))?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut text = Vec::new();
    stream.read_to_end(&mut text)?;
    if !text.ends_with(b"\n") {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "it ended before it had answered; ask again, or look at its log",
        ));
    }
    Ok(text)
}
