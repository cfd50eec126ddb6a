//! Input that could not be used, said so that its owner can mend it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::ObjectName;

/// The kind of object that a [`Problem`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the Kubernetes kinds")]
pub enum ObjectKind {
    Service,
    EndpointSlice,
    Node,
    ServiceCIDR,
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A field, or a whole object, that was skipped. The rest of the object is served.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Problem {
    /// The kind of the object.
    pub kind: ObjectKind,
    /// The object.
    pub object: ObjectName,
    /// The path of the field as the API writes it, e.g. `spec.ports[0].port`; empty for
    /// the whole object.
    pub field: String,
    /// What is wrong and what was done about it.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.object)?;
        if !self.field.is_empty() {
            write!(f, ": {}", self.field)?;
        }
        write!(f, ": {}", self.reason)
    }
}
