//! Answers that are no objects: `Status` of `v1`.

use bytes::Bytes;
use http::Response;
use http::header::RETRY_AFTER;
use serde_json::{Map, Value, json};

use crate::body::{Body, whole};
use crate::resource::Resource;

/// A request that is not granted, as clients are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Of HTTP.
    pub(crate) code: u16,
    reason: &'static str,
    message: String,
    /// In seconds.
    retry_after: Option<u32>,
    /// `details.causes`.
    causes: Vec<&'static str>,
}

impl Refusal {
    fn new(code: u16, reason: &'static str, message: String) -> Refusal {
        Refusal { code, reason, message, retry_after: None, causes: Vec::new() }
    }

    /// With the reason and the words that an API server has for a status.
    pub(crate) fn of_code(code: u16, resource: Resource, retry_after: Option<u32>) -> Refusal {
        let plural = resource.plural();
        let (reason, message) = match code {
            400 => ("BadRequest", "the server rejected our request for an unknown reason".into()),
            401 => return Refusal { retry_after, ..Refusal::unauthorized() },
            403 => (
                "Forbidden",
                format!(
                    "{plural} is forbidden: User \"system:anonymous\" cannot watch resource \
                     \"{plural}\" in API group \"{}\" at the cluster scope",
                    resource.group()
                ),
            ),
            404 => ("NotFound", "the server could not find the requested resource".into()),
            410 => return Refusal::expired("The provided resource version is too old"),
            429 => ("TooManyRequests", "too many requests, please try again later.".into()),
            500 => ("InternalError", "Internal error occurred: etcdserver: no leader".into()),
            503 => ("ServiceUnavailable", "apiserver is shutting down".into()),
            504 => ("Timeout", "etcdserver: request timed out".into()),
            _ => ("", format!("answered with {code} on purpose")),
        };
        Refusal { retry_after, ..Refusal::new(code, reason, message) }
    }

    pub(crate) fn unauthorized() -> Refusal {
        Refusal::new(401, "Unauthorized", "Unauthorized".to_owned())
    }

    pub(crate) fn bad_request(message: &str) -> Refusal {
        Refusal::new(400, "BadRequest", message.to_owned())
    }

    pub(crate) fn invalid(message: &str) -> Refusal {
        let message = format!("ListOptions.meta.k8s.io \"\" is invalid: {message}");
        Refusal::new(422, "Invalid", message)
    }

    /// What an API server says whose feature gate `WatchList` is off.
    pub(crate) fn no_streaming_lists(code: u16) -> Refusal {
        let why = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless \
                   the WatchList feature gate is enabled";
        Refusal { code, ..Refusal::invalid(why) }
    }

    pub(crate) fn not_found(what: &str) -> Refusal {
        Refusal::new(404, "NotFound", format!("{what} not found"))
    }

    pub(crate) fn not_acceptable() -> Refusal {
        let message = "only the following media types are accepted: application/json".to_owned();
        Refusal::new(406, "NotAcceptable", message)
    }

    pub(crate) fn expired(message: &str) -> Refusal {
        Refusal::new(410, "Expired", message.to_owned())
    }

    pub(crate) fn too_old(wanted: u64, oldest: u64) -> Refusal {
        Refusal::expired(&format!("too old resource version: {wanted} ({oldest})"))
    }

    pub(crate) fn too_new(wanted: u64, newest: u64) -> Refusal {
        let message = format!("Too large resource version: {wanted}, current: {newest}");
        Refusal {
            retry_after: Some(1),
            causes: vec!["ResourceVersionTooLarge"],
            ..Refusal::new(504, "Timeout", message)
        }
    }

    /// As an object.
    pub(crate) fn status(&self) -> Value {
        let causes: Vec<Value> = self
            .causes
            .iter()
            .map(|reason| json!({"reason": reason, "message": "Too large resource version"}))
            .collect();
        let causes = (!causes.is_empty()).then(|| ("causes".to_owned(), causes.into()));
        let seconds = self.retry_after.map(|after| ("retryAfterSeconds".to_owned(), after.into()));
        let details: Map<String, Value> = causes.into_iter().chain(seconds).collect();
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "details": details,
            "code": self.code,
        })
    }

    pub(crate) fn response(&self) -> Response<Body> {
        let mut response = whole(self.code, Bytes::from(self.status().to_string()));
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}
