//! Input that could not be used, said so that its owner can mend it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::ObjectName;
use crate::printable::Printable;

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
    /// On one line: what does not print in a name or text from outside is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, Printable(&self.object.to_string()))?;
        if !self.field.is_empty() {
            write!(f, ": {}", Printable(&self.field))?;
        }
        write!(f, ": {}", Printable(&self.reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_problem_breaks_its_line_or_commands_a_terminal() {
        let hostile = "a\nINFO\r\u{1b}[31m\u{9b}\u{202e}\u{2028}\0";
        let problem = Problem {
            kind: ObjectKind::Service,
            object: ObjectName::new(hostile, hostile),
            field: hostile.to_owned(),
            reason: format!("\"é\\x\" it's {hostile}"),
        };
        let escaped = r"a\nINFO\r\u{1b}[31m\u{9b}\u{202e}\u{2028}\0";
        assert_eq!(
            problem.to_string(),
            format!("Service {escaped}/{escaped}: {escaped}: \"é\\x\" it's {escaped}")
        );
    }
}
