//! What a list or a watch asks for.

use std::time::Duration;

use crate::object::Key;
use crate::refusal::Refusal;
use crate::resource::{Dialect, Resource};
use crate::selector::{Selection, parse_fields, parse_labels};

/// The parameters of a list or a watch, as the API names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) watch: bool,
    /// How the answer is told.
    pub(crate) dialect: Dialect,
    pub(crate) selection: Selection,
    pub(crate) version: Version,
    pub(crate) version_match: Option<VersionMatch>,
    /// `None` if not given, or 0.
    pub(crate) limit: Option<usize>,
    pub(crate) continue_from: Option<Continue>,
    pub(crate) bookmarks: bool,
    /// `timeoutSeconds`; `None` if not given, or 0.
    pub(crate) timeout: Option<Duration>,
    pub(crate) send_initial_events: Option<bool>,
}

/// `resourceVersion`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Version {
    /// Not given: the newest.
    #[default]
    Unset,
    /// 0: any.
    Any,
    At(u64),
}

/// `resourceVersionMatch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum VersionMatch {
    Exact,
    NotOlderThan,
}

/// Where a list goes on: `continue`, which clients return as they got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Continue {
    pub(crate) version: u64,
    pub(crate) after: Key,
}

impl Query {
    pub(crate) fn parse(
        resource: Resource,
        dialect: Dialect,
        namespace: Option<&str>,
        query: &str,
    ) -> Result<Query, Refusal> {
        let mut parsed = Query { dialect, ..Query::default() };
        parsed.selection.namespace = namespace.map(Box::from);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            parsed.take(resource, &name, &value)?;
        }
        parsed.check()?;
        Ok(parsed)
    }

    fn take(&mut self, resource: Resource, name: &str, value: &str) -> Result<(), Refusal> {
        let bad = |message: String| Refusal::bad_request(&message);
        let invalid = || bad(format!("{name}: Invalid value: {value:?}"));
        match name {
            "watch" => self.watch = flag(value),
            "allowWatchBookmarks" => self.bookmarks = flag(value),
            "sendInitialEvents" => self.send_initial_events = Some(flag(value)),
            "labelSelector" => self.selection.labels = parse_labels(value).map_err(bad)?,
            "fieldSelector" => {
                self.selection.fields = parse_fields(value, resource).map_err(bad)?
            }
            "limit" => {
                let limit: usize = value.parse().map_err(|_| invalid())?;
                self.limit = Some(limit).filter(|limit| *limit > 0);
            }
            "timeoutSeconds" => {
                let seconds: u32 = value.parse().map_err(|_| invalid())?;
                let timeout = Duration::from_secs(seconds.into());
                self.timeout = Some(timeout).filter(|timeout| !timeout.is_zero());
            }
            "continue" if value.is_empty() => {}
            "continue" => self.continue_from = Some(Continue::parse(value).ok_or_else(invalid)?),
            "resourceVersion" => self.version = Version::parse(value).ok_or_else(invalid)?,
            "resourceVersionMatch" => {
                self.version_match = match value {
                    "" => None,
                    "Exact" => Some(VersionMatch::Exact),
                    "NotOlderThan" => Some(VersionMatch::NotOlderThan),
                    // `ValidateListOptions` of k8s.io/apimachinery.
                    _ => {
                        return Err(Refusal::invalid(&format!(
                            "{name}: Unsupported value: {value:?}: supported values: \"Exact\", \
                             \"NotOlderThan\", \"\""
                        )));
                    }
                }
            }
            // `pretty`, `timeout` and whatever else changes no meaning.
            _ => {}
        }
        Ok(())
    }

    /// What the API forbids of what each parameter allows by itself.
    fn check(&self) -> Result<(), Refusal> {
        let forbidden =
            |field: &str, why: &str| Err(Refusal::invalid(&format!("{field}: Forbidden: {why}")));
        if self.watch {
            return match (self.send_initial_events, self.version_match) {
                (None, Some(_)) => forbidden(
                    "resourceVersionMatch",
                    "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
                ),
                (Some(_), Some(VersionMatch::NotOlderThan)) | (None, None) => Ok(()),
                (Some(_), _) => forbidden(
                    "resourceVersionMatch",
                    "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
                ),
            };
        }
        if self.send_initial_events.is_some() {
            return forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list");
        }
        match (self.version_match, self.version) {
            (Some(_), Version::Unset) => forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ),
            (Some(VersionMatch::Exact), Version::Any) => forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ),
            (Some(_), _) if self.continue_from.is_some() => forbidden(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden when continue is provided",
            ),
            // `ValidateListOptions` of k8s.io/apiserver/pkg/storage.
            (None, Version::At(_)) if self.continue_from.is_some() => Err(Refusal::bad_request(
                "specifying resource version is not allowed when using continue",
            )),
            _ => Ok(()),
        }
    }

    /// Whether it asks for the initial state as the first events of the watch.
    pub(crate) fn is_streaming_list(&self) -> bool {
        self.watch && self.send_initial_events == Some(true)
    }
}

impl Version {
    fn parse(text: &str) -> Option<Version> {
        match text {
            "" => Some(Version::Unset),
            "0" => Some(Version::Any),
            _ => text.parse().ok().map(Version::At),
        }
    }
}

impl Continue {
    fn parse(token: &str) -> Option<Continue> {
        let mut parts = token.splitn(3, '/');
        let version = parts.next()?.parse().ok()?;
        Some(Continue { version, after: Key::new(parts.next()?, parts.next()?) })
    }

    /// As a client gets it.
    pub(crate) fn token(&self) -> String {
        format!("{}/{}/{}", self.version, self.after.namespace, self.after.name)
    }
}

/// One that is given, without a value too, is set unless it says otherwise
/// (`Convert_Slice_string_To_bool` of k8s.io/apimachinery).
fn flag(value: &str) -> bool {
    value != "0" && !value.eq_ignore_ascii_case("false")
}

#[cfg(test)]
mod tests;
