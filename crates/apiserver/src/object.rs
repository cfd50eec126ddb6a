//! Objects as they are sent.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Error;
use crate::resource::{Dialect, Resource};

/// Where an object is; lists are in this order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// Empty for objects of the whole cluster.
    pub(crate) namespace: Box<str>,
    pub(crate) name: Box<str>,
}

impl Key {
    pub(crate) fn new(namespace: &str, name: &str) -> Key {
        Key { namespace: namespace.into(), name: name.into() }
    }
}

/// What selectors look at, besides the key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selectable {
    /// `metadata.labels`.
    pub(crate) labels: BTreeMap<Box<str>, Box<str>>,
    /// `spec.clusterIP` of a Service.
    pub(crate) cluster_ip: Option<Box<str>>,
    /// `spec.type` of a Service.
    pub(crate) service_type: Option<Box<str>>,
}

/// An object that has everything but its resource version, so that encoding it holds
/// nobody up.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) resource: Resource,
    key: Key,
    selectable: Selectable,
    /// Up to the resource version.
    head: String,
    /// From the resource version on.
    tail: Vec<u8>,
}

/// An object in one version, encoded for good.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) key: Key,
    pub(crate) resource_version: u64,
    pub(crate) selectable: Selectable,
    bytes: Bytes,
    /// Where the resource version begins and ends in `bytes`.
    version: (usize, usize),
    /// Where `metadata` begins in `bytes`.
    metadata: usize,
}

impl Draft {
    pub(crate) fn new(object: &Value) -> Result<Draft, Error> {
        let resource = resource_of(object)?;
        let nothing = Map::new();
        let fields = object.as_object().unwrap_or(&nothing);
        let metadata = fields.get("metadata").and_then(Value::as_object).unwrap_or(&nothing);
        let key = key_of(resource, metadata)?;
        let head =
            format!(r#"{}"metadata":{{"resourceVersion":""#, preamble(resource, Dialect::Stable));
        let mut tail = b"\"".to_vec();
        if resource.is_namespaced() {
            append_field(&mut tail, "namespace", &*key.namespace)?;
        }
        append_fields(&mut tail, metadata, &["resourceVersion", "namespace"])?;
        tail.push(b'}');
        append_fields(&mut tail, fields, &["apiVersion", "kind", "metadata"])?;
        tail.push(b'}');
        let selectable = selectable_of(metadata, fields);
        Ok(Draft { resource, key, selectable, head, tail })
    }

    pub(crate) fn key(&self) -> &Key {
        &self.key
    }

    /// Whether an object is this one already, whatever its version.
    pub(crate) fn is(&self, stored: &Stored) -> bool {
        let (begin, end) = stored.version;
        stored.bytes.get(..begin) == Some(self.head.as_bytes())
            && stored.bytes.get(end..) == Some(self.tail.as_slice())
    }

    /// The object in this version.
    pub(crate) fn seal(self, version: u64) -> Stored {
        let digits = version.to_string();
        let length = self.head.len() + digits.len() + self.tail.len();
        let mut bytes = BytesMut::with_capacity(length);
        bytes.extend_from_slice(self.head.as_bytes());
        bytes.extend_from_slice(digits.as_bytes());
        bytes.extend_from_slice(&self.tail);
        Stored {
            key: self.key,
            resource_version: version,
            selectable: self.selectable,
            bytes: bytes.freeze(),
            version: (self.head.len(), self.head.len() + digits.len()),
            metadata: preamble(self.resource, Dialect::Stable).len(),
        }
    }
}

impl Stored {
    /// The object as JSON.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The object as JSON, but for the opening brace, as it stands in a list: without
    /// `kind` and `apiVersion`.
    pub(crate) fn item(&self) -> Bytes {
        self.bytes.slice(self.metadata..)
    }

    /// The object as JSON with another resource version: what a watch says of an object
    /// that goes.
    pub(crate) fn as_of(&self, version: u64) -> Bytes {
        let (begin, end) = self.version;
        let mut bytes = BytesMut::with_capacity(self.bytes.len() + 8);
        bytes.extend_from_slice(&self.bytes.slice(..begin));
        bytes.extend_from_slice(version.to_string().as_bytes());
        bytes.extend_from_slice(&self.bytes.slice(end..));
        bytes.freeze()
    }
}

/// What all objects of a resource begin with.
pub(crate) fn preamble(resource: Resource, dialect: Dialect) -> String {
    let (kind, version) = (resource.kind(), resource.told_version(dialect));
    format!(r#"{{"kind":"{kind}","apiVersion":"{version}","#)
}

/// An object, as it was stored, in another version of the API.
pub(crate) fn told(object: &Bytes, resource: Resource, dialect: Dialect) -> Bytes {
    match dialect {
        Dialect::Stable => object.clone(),
        Dialect::Beta => {
            let mut bytes = BytesMut::with_capacity(object.len() + 8);
            bytes.extend_from_slice(preamble(resource, dialect).as_bytes());
            let stored = preamble(resource, Dialect::Stable).len();
            bytes.extend_from_slice(&object.slice(stored..));
            bytes.freeze()
        }
    }
}

fn resource_of(object: &Value) -> Result<Resource, Error> {
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    Resource::of_kind(kind)
        .filter(|resource| resource.api_version() == api_version)
        .ok_or_else(|| Error::Kind { api_version: api_version.into(), kind: kind.into() })
}

fn key_of(resource: Resource, metadata: &Map<String, Value>) -> Result<Key, Error> {
    let text = |field: &str| metadata.get(field).and_then(Value::as_str);
    let name = text("name").filter(|name| !name.is_empty());
    let name = name.ok_or(Error::Unnamed { kind: resource.kind() })?;
    let namespace = if resource.is_namespaced() {
        text("namespace").filter(|namespace| !namespace.is_empty()).unwrap_or("default")
    } else {
        ""
    };
    Ok(Key::new(namespace, name))
}

fn selectable_of(metadata: &Map<String, Value>, fields: &Map<String, Value>) -> Selectable {
    let labels = metadata.get("labels").and_then(Value::as_object);
    let labels = labels
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str().into(), value.as_str()?.into())));
    let spec =
        |field: &str| fields.get("spec").and_then(|spec| spec.get(field)?.as_str()).map(Box::from);
    Selectable {
        labels: labels.collect(),
        cluster_ip: spec("clusterIP"),
        service_type: spec("type"),
    }
}

/// All fields but some, each after a comma.
fn append_fields(
    bytes: &mut Vec<u8>,
    fields: &Map<String, Value>,
    without: &[&str],
) -> Result<(), Error> {
    let kept = fields.iter().filter(|(name, _)| !without.contains(&name.as_str()));
    kept.into_iter().try_for_each(|(name, value)| append_field(bytes, name, value))
}

fn append_field<T: Serialize + ?Sized>(
    bytes: &mut Vec<u8>,
    name: &str,
    value: &T,
) -> Result<(), Error> {
    let json = |error: serde_json::Error| Error::Json(error.to_string());
    bytes.push(b',');
    serde_json::to_writer(&mut *bytes, name).map_err(json)?;
    bytes.push(b':');
    serde_json::to_writer(bytes, value).map_err(json)
}

#[cfg(test)]
mod tests;
