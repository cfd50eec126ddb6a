//! A YAML document as a flat list of keys, each taken once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use serde_saphyr::{MessageFormatter, UserMessageFormatter};

use crate::config::{ConfigError, Given};

/// How much of the parser's message is shown: it may quote a key of any length.
const MOST_CHARACTERS: usize = 200;

/// The keys of a document with their parents (`nftables.masqueradeBit`), less those that
/// were asked for already.
pub(super) struct Document {
    path: PathBuf,
    keys: BTreeMap<String, Value>,
    known: Vec<&'static str>,
}

impl Document {
    pub(super) fn parse(text: &str, path: &Path) -> Result<Document, ConfigError> {
        let syntax = |reason| ConfigError::Syntax { path: path.to_owned(), reason };
        let options = serde_saphyr::options! { with_snippet: false };
        let root: Value = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| syntax(explain(&error)))?;
        let Value::Object(_) = root else {
            return Err(syntax("expected keys and values at the top".to_owned()));
        };
        let mut keys = BTreeMap::new();
        flatten(String::new(), root, &mut keys);
        Ok(Document { path: path.to_owned(), keys, known: Vec::new() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses a value where keys were asked for: `nftables: 5`.
    pub(super) fn check_parents(&mut self) -> Result<(), ConfigError> {
        let known = &self.known;
        let is_parent = |key: &str| {
            known.iter().any(|it| it.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')))
        };
        self.keys.retain(|key, value| !(*value == Value::Object(Map::new()) && is_parent(key)));
        match self.keys.iter().find(|(key, _)| is_parent(key)) {
            None => Ok(()),
            Some((key, value)) => Err(ConfigError::Value {
                by: self.origin(key),
                reason: format!("{value} has the wrong type"),
                example: "keys and values",
            }),
        }
    }

    /// Keys that nobody asked for.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// Keys that were asked for, present or not.
    pub(super) fn known(&self) -> impl Iterator<Item = &'static str> {
        self.known.iter().copied()
    }

    /// Drops keys whose value is an empty text, list or map.
    pub(super) fn forget_empty(&mut self) {
        self.keys.retain(|_, value| match value {
            Value::String(text) => !text.is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Object(entries) => !entries.is_empty(),
            _ => true,
        });
    }

    /// The value of a key, as one of the functions below reads it, with its origin.
    pub(super) fn given<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Document, &'static str) -> Result<Option<T>, ConfigError>,
    ) -> Result<Option<Given<T>>, ConfigError> {
        let by = self.origin(key);
        Ok(read(self, key)?.map(|value| Given { value, by }))
    }

    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, ConfigError> {
        self.take(key, "a text in quotes", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn boolean(&mut self, key: &'static str) -> Result<Option<bool>, ConfigError> {
        self.take(key, "true or false", Value::as_bool)
    }

    pub(super) fn number(&mut self, key: &'static str) -> Result<Option<u64>, ConfigError> {
        self.take(key, "a whole number such as 14", Value::as_u64)
    }

    pub(super) fn list(&mut self, key: &'static str) -> Result<Option<Vec<String>>, ConfigError> {
        self.take(key, "a list such as [\"192.0.2.0/24\"]", |value| {
            value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        })
    }

    fn take<T>(
        &mut self,
        key: &'static str,
        example: &'static str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, ConfigError> {
        self.known.push(key);
        match self.keys.remove(key) {
            None => Ok(None),
            Some(value) => read(&value).map(Some).ok_or_else(|| ConfigError::Value {
                by: self.origin(key),
                reason: format!("{value} has the wrong type"),
                example,
            }),
        }
    }

    fn origin(&self, key: &str) -> String {
        format!("{key} in {}", self.path.display())
    }
}

/// Where and why, without the advice that the parser has for programmers.
fn explain(error: &serde_saphyr::Error) -> String {
    let place = error.location().map_or(String::new(), |location| {
        format!("line {}, column {}: ", location.line(), location.column())
    });
    let message = UserMessageFormatter.format_message(error.without_snippet());
    let message = message.chars().map(|c| if c.is_control() { ' ' } else { c });
    place + &message.take(MOST_CHARACTERS).collect::<String>()
}

/// A key without a value counts as absent. A key with a dot in it stands in quotes, so
/// that it is not taken for two keys.
fn flatten(key: String, value: Value, keys: &mut BTreeMap<String, Value>) {
    match value {
        Value::Null => {}
        Value::Object(entries) if !entries.is_empty() => {
            for (name, value) in entries {
                let name = if name.contains('.') { format!("{name:?}") } else { name };
                let child = if key.is_empty() { name } else { format!("{key}.{name}") };
                flatten(child, value, keys);
            }
        }
        value => {
            keys.insert(key, value);
        }
    }
}
