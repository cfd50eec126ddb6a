//! A server that cannot be reached: one piece of news, whatever is asked of it.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use kube::client::ClientBuilder;
use kube::{Client, Config};
use portolan_core::ObjectKind;
use tower::BoxError;
use tower::util::{MapErrLayer, MapRequestLayer};

use super::token_file::TokenFile;

/// No answer came, not even a refusal.
#[derive(Debug, thiserror::Error)]
#[error("cannot reach the API server at {server}")]
pub(super) struct Unreachable {
    server: String,
    source: BoxError,
}

impl Unreachable {
    /// Whether an error is one of these, or comes from one.
    pub(super) fn is_behind(error: &(dyn Error + 'static)) -> bool {
        let mut error = Some(error);
        while let Some(cause) = error {
            if cause.is::<Unreachable>() {
                return true;
            }
            error = cause.source();
        }
        false
    }
}

/// A client whose errors name the server, if it gives no answer. Its requests have the token
/// of a file, if there is one.
pub(super) fn client(config: Config, token: Option<TokenFile>) -> Result<Client, kube::Error> {
    let server = config.cluster_url.to_string();
    let name_the_server = move |error: BoxError| -> BoxError {
        if error.is::<kube::Error>() {
            // It did not come that far: credentials are missing, for example.
            return error;
        }
        Unreachable { server: server.clone(), source: error }.into()
    };
    let authorize = move |request| match &token {
        Some(token) => token.authorize(request),
        None => request,
    };
    Ok(ClientBuilder::try_from(config)?
        .with_layer(&MapErrLayer::new(name_the_server))
        .with_layer(&MapRequestLayer::new(authorize))
        .build())
}

/// The outage that the followers of all kinds see, told once. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Outage(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    by: BTreeSet<ObjectKind>,
    told: Option<String>,
}

impl Outage {
    /// The follower of this kind cannot reach the server. Returns whether that is news.
    pub(super) fn is_news(&self, kind: ObjectKind, text: &str) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.by.insert(kind);
        let news = seen.told.as_deref() != Some(text);
        if news {
            seen.told = Some(text.to_owned());
        }
        news
    }

    /// The follower of this kind has an answer. Returns whether what was told is over.
    pub(super) fn is_over(&self, kind: ObjectKind) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.by.remove(&kind);
        seen.by.is_empty() && seen.told.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_once_and_is_over_for_all_together() {
        let outage = Outage::default();
        let [services, nodes] = [ObjectKind::Service, ObjectKind::Node];
        assert!(!outage.is_over(services), "there is none");
        assert!(outage.is_news(services, "refused"));
        assert!(!outage.clone().is_news(nodes, "refused"));
        assert!(outage.is_news(nodes, "no route"), "another reason");
        assert!(!outage.is_over(services));
        assert!(outage.is_over(nodes));
        assert!(!outage.is_over(nodes));
        assert!(outage.is_news(services, "refused"), "again");
    }
}
