//! A YAML document as a flat list of keys, each taken once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::config::{ConfigError, Given};

/// The keys of a document with their parents (`nftables.masqueradeBit`), less those that
/// were asked for already.
pub(super) struct Document {
    path: PathBuf,
    keys: BTreeMap<String, Value>,
    known: Vec<&'static str>,
}

impl Document {
    pub(super) fn parse(text: &str, path: &Path) -> Result<Document, ConfigError> {
        let syntax = |source| ConfigError::Syntax { path: path.to_owned(), source };
        let root: Value =
            serde_saphyr::from_str(text).map_err(|error| syntax(Box::new(error).into()))?;
        let Value::Object(_) = root else {
            return Err(syntax("expected keys and values at the top".into()));
        };
        let mut keys = BTreeMap::new();
        flatten(String::new(), root, &mut keys);
        Ok(Document { path: path.to_owned(), keys, known: Vec::new() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
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

/// A key without a value counts as absent.
fn flatten(key: String, value: Value, keys: &mut BTreeMap<String, Value>) {
    match value {
        Value::Null => {}
        Value::Object(entries) if !entries.is_empty() => {
            for (name, value) in entries {
                let child = if key.is_empty() { name } else { format!("{key}.{name}") };
                flatten(child, value, keys);
            }
        }
        value => {
            keys.insert(key, value);
        }
    }
}
