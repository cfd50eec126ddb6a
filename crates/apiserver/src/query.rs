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
            parsed
                .take(resource, &name, &value)
                .map_err(|message| Refusal::bad_request(&message))?;
        }
        parsed.check()?;
        Ok(parsed)
    }

    fn take(&mut self, resource: Resource, name: &str, value: &str) -> Result<(), String> {
        let invalid = || format!("{name}: Invalid value: {value:?}");
        match name {
            "watch" => self.watch = flag(value).ok_or_else(invalid)?,
            "allowWatchBookmarks" => self.bookmarks = flag(value).ok_or_else(invalid)?,
            "sendInitialEvents" => {
                self.send_initial_events = Some(flag(value).ok_or_else(invalid)?);
            }
            "labelSelector" => self.selection.labels = parse_labels(value)?,
            "fieldSelector" => self.selection.fields = parse_fields(value, resource)?,
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
                    _ => return Err(invalid()),
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

/// As Go reads one from a query.
fn flag(value: &str) -> Option<bool> {
    match value {
        "" | "0" | "f" | "F" | "false" | "False" | "FALSE" => Some(false),
        "1" | "t" | "T" | "true" | "True" | "TRUE" => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &str) -> Result<Query, Refusal> {
        Query::parse(Resource::Services, Dialect::Stable, None, query)
    }

    #[test]
    fn what_clients_ask_for_is_understood() {
        let query = parse(
            "allowWatchBookmarks=true&labelSelector=%21service.kubernetes.io%2Fheadless%2C%21b\
             &resourceVersion=7&timeoutSeconds=431&watch=true&timeout=7m11s",
        )
        .unwrap();
        assert!(query.watch && query.bookmarks && query.selection.labels.len() == 2);
        assert_eq!(query.version, Version::At(7));
        assert_eq!(query.timeout, Some(Duration::from_secs(431)));
        let query = parse("limit=500&resourceVersion=0&continue=").unwrap();
        assert_eq!((query.limit, query.version, query.watch), (Some(500), Version::Any, false));
        let query = parse(
            "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=",
        );
        assert!(query.unwrap().is_streaming_list());
    }

    #[test]
    fn a_list_goes_on_where_its_token_says() {
        let from = Continue { version: 12, after: Key::new("shop", "web") };
        assert_eq!(Continue::parse(&from.token()), Some(from));
    }

    #[test]
    fn what_the_api_forbids_is_refused() {
        for (query, code) in [
            ("labelSelector=a+b", 400),
            ("fieldSelector=status.phase%3Dx", 400),
            ("limit=-1", 400),
            ("limit=many", 400),
            ("resourceVersion=x", 400),
            ("continue=x", 400),
            ("watch=perhaps", 400),
            ("resourceVersionMatch=Newest", 400),
            ("sendInitialEvents=true", 422),
            ("watch=true&sendInitialEvents=true", 422),
            ("watch=true&sendInitialEvents=true&resourceVersion=1&resourceVersionMatch=Exact", 422),
            ("watch=true&resourceVersion=1&resourceVersionMatch=NotOlderThan", 422),
            ("resourceVersionMatch=Exact", 422),
            ("resourceVersion=0&resourceVersionMatch=Exact", 422),
            ("resourceVersion=1&resourceVersionMatch=Exact&continue=1/a/b", 422),
        ] {
            assert_eq!(parse(query).unwrap_err().code, code, "{query}");
        }
    }
}
