//! Who is answered.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderMap;
use http::header::AUTHORIZATION;

/// Who is answered: everybody, until something is required. All others are told 401. Clones
/// are the same.
#[derive(Clone, Debug, Default)]
pub struct Access(Arc<Mutex<Required>>);

#[derive(Debug, Default)]
enum Required {
    #[default]
    Nothing,
    Token(String),
    Certificate,
}

impl Access {
    /// Requests need this bearer token, and no other one any more. What was answered before
    /// goes on.
    pub fn require_token(&self, token: &str) {
        *self.lock() = Required::Token(token.to_owned());
    }

    /// Connections need a certificate of the server's [`Authority`](crate::Authority).
    pub fn require_certificate(&self) {
        *self.lock() = Required::Certificate;
    }

    /// Whether a request is answered. `certified` says that its connection has a
    /// certificate of the authority.
    pub(crate) fn is_granted(&self, headers: &HeaderMap, certified: bool) -> bool {
        match &*self.lock() {
            Required::Nothing => true,
            Required::Token(token) => bearer(headers) == Some(token),
            Required::Certificate => certified,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Required> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}
