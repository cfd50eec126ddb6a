//! A bearer token in a file that others replace: the kubelet does, before it expires.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};
use kube::Config;

use crate::error::WatchError;

/// Adds the token to requests. The file is read for each of them, which are few: kube would
/// send a token for up to a minute after it was replaced, and the end of its line with it.
/// Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
    last: Arc<Mutex<HeaderValue>>,
}

impl TokenFile {
    /// Takes the file out of a configuration, if it is what that one has for its requests.
    pub(super) fn take(config: &mut Config) -> Result<Option<TokenFile>, WatchError> {
        let user = &mut config.auth_info;
        // As kube does it, either of these wins over a token file.
        if user.token.is_some() || (user.username.is_some() && user.password.is_some()) {
            return Ok(None);
        }
        let Some(path) = user.token_file.take().map(PathBuf::from) else { return Ok(None) };
        match read(&path) {
            Ok(token) => Ok(Some(TokenFile { path, last: Arc::new(Mutex::new(token)) })),
            Err(source) => Err(WatchError::TokenFile { path, source }),
        }
    }

    /// With the token that is in the file now, or was in it last.
    pub(super) fn authorize<B>(&self, mut request: Request<B>) -> Request<B> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(token) = read(&self.path) {
            *last = token;
        }
        request.headers_mut().insert(AUTHORIZATION, last.clone());
        request
    }
}

fn read(path: &PathBuf) -> io::Result<HeaderValue> {
    let invalid = |why| io::Error::new(io::ErrorKind::InvalidData, why);
    let text = fs::read_to_string(path)?;
    let token = text.trim();
    if token.is_empty() {
        return Err(invalid("it is empty"));
    }
    let mut header = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| invalid("it is not one line of text"))?;
    header.set_sensitive(true);
    Ok(header)
}
