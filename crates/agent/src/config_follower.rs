//! Another `backend` in the configuration file while the agent runs.
//!
//! The file is read every few seconds rather than watched: it is small, and a mounted
//! ConfigMap, an editor, a bind mount and a network file system all change it in ways of
//! their own. The last word counts: what asks for a change is that the file says something
//! else than it said before, not that it says something else than `portolan switch`.

#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::config::{BackendKind, FollowedFile, Given};
use crate::control::Query;
use crate::error;
use crate::reconciler::{SwitchError, SwitchRequest, Switched};

/// How often the file is read.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A file that has just been changed is taken once it stays as it is for so long: whoever
/// writes it may not be done.
const SETTLE: Duration = Duration::from_millis(200);

/// Follows the file for as long as the loop takes requests.
pub(crate) async fn follow(file: FollowedFile, loop_: mpsc::Sender<Query>) {
    let mut follower = Follower::new(file);
    loop {
        sleep(LOOK_EVERY).await;
        let text = follower.read_settled().await;
        follower.look(text);
        let Some((to, by)) = follower.wish() else { continue };
        let (reply, done) = oneshot::channel();
        // Both fail only when the agent is about to end.
        let _ = loop_.send(Query::Switch(SwitchRequest { to, by, reply })).await;
        match done.await {
            Ok(result) => follower.heard(result),
            Err(_) => return,
        }
    }
}

/// What the file said, and what became of it.
struct Follower {
    file: FollowedFile,
    /// What is in the file, or why that is not known.
    text: Result<String, String>,
    /// What the file says of the backend, whoever wins.
    said: Option<Given<String>>,
    /// What it came to when it could be used last.
    backend: BackendKind,
    /// To be asked for.
    wish: Option<BackendKind>,
    /// It was asked for, and could not be made.
    refused: bool,
}

impl Follower {
    fn new(file: FollowedFile) -> Follower {
        // It was read without an error when the agent started.
        let reading = file.reading_at_start().ok();
        Follower {
            text: Ok(file.text().to_owned()),
            said: reading.as_ref().and_then(|it| it.said.clone()),
            backend: reading.map_or_else(BackendKind::default, |it| it.backend),
            wish: None,
            refused: false,
            file,
        }
    }

    /// What is in the file once it stays as it is.
    async fn read_settled(&self) -> Result<String, String> {
        let mut text = read(self.file.path()).await;
        while text != self.text {
            sleep(SETTLE).await;
            let again = read(self.file.path()).await;
            if again == text {
                break;
            }
            text = again;
        }
        text
    }

    /// Takes in what is in the file now.
    fn look(&mut self, text: Result<String, String>) {
        if text == self.text {
            return;
        }
        self.text = text;
        let path = self.file.path().display();
        let text = match &self.text {
            Ok(text) => text,
            Err(reason) => {
                return error!(
                    "cannot read the configuration file {path}: {reason}; the agent goes on as it \
                     is, and could not be started again"
                );
            }
        };
        match self.file.read(text) {
            Ok(reading) => {
                info!(file = %path, "the configuration file has changed");
                reading.warnings.iter().for_each(|warning| warn!("{warning}"));
                if !reading.for_restart.is_empty() {
                    warn!(
                        "{path} has other values than at the start for {}: they count from the \
                         next start on, which interrupts nothing. Only the backend is taken while \
                         the agent runs",
                        reading.for_restart.join(", ")
                    );
                }
                self.take_backend(reading.backend, reading.said);
            }
            Err(reason) => error!(
                "the configuration file has changed and cannot be used: {}; the agent goes on as \
                 it is, and could not be started again",
                error::chain(&reason)
            ),
        }
    }

    fn take_backend(&mut self, backend: BackendKind, said: Option<Given<String>>) {
        if let (Some(flag), Some(given)) = (self.file.backend_flag(), &said)
            && self.said != said
            && given.value != flag.value
        {
            warn!(
                "{} is {} now, which has no effect: {} {} on the command line wins",
                given.by, given.value, flag.by, flag.value
            );
        }
        self.said = said;
        if self.backend != backend || self.refused {
            self.wish = Some(backend);
        }
        self.backend = backend;
        self.refused = false;
    }

    /// What is to be asked for, and in whose name.
    fn wish(&self) -> Option<(BackendKind, String)> {
        let by = match &self.said {
            Some(given) => given.by.clone(),
            None => format!("no backend in {}", self.file.path().display()),
        };
        self.wish.map(|to| (to, by))
    }

    /// What became of it.
    fn heard(&mut self, result: Result<Switched, SwitchError>) {
        match result {
            // Asked for again with the next look.
            Err(SwitchError::UnderWay | SwitchError::NotSynced { .. }) => {}
            Ok(_) => self.wish = None,
            Err(refused) => {
                self.wish = None;
                self.refused = true;
                let (path, to) = (self.file.path().display(), self.backend.name());
                error!(
                    "{path} asks for the backend {to}, but {refused}. It is tried again when the \
                     file changes, or by `portolan switch {to}`"
                );
            }
        }
    }
}

/// Reads the file where reading may block.
async fn read(path: &Path) -> Result<String, String> {
    let path = path.to_owned();
    match tokio::task::spawn_blocking(move || fs::read_to_string(path)).await {
        Ok(Ok(text)) => Ok(text),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
