//! What a source sends.

use std::fmt;
use std::sync::Arc;

use portolan_core::{Printable, Problem, Update};
use serde::{Deserialize, Serialize};

/// One event of a source.
#[derive(Clone, Debug, PartialEq)]
pub enum SourceEvent {
    /// The cluster changed.
    Update(Update),
    /// What is wrong at one origin now. Replaces everything that was said about that
    /// origin before; an empty list means that it is mended or gone.
    Problems {
        /// A file, an object, or a part of the source; only ever compared and printed.
        origin: String,
        /// What is wrong.
        problems: Vec<Notice>,
    },
}

/// Something that its owner has to mend.
///
/// Displayed as `shop.yaml, document 2, line 14: Service default/web: spec.ports[0].port:
/// …`, without the parts that are not known, and on one line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Notice {
    /// Where it stands; `None` if it does not come from a file.
    pub place: Option<Place>,
    /// What it is.
    pub cause: Cause,
}

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The file or directory; what is not UTF-8 in its name is replaced by U+FFFD.
    pub file: Arc<str>,
    /// The document in the file, counted from 1 and without empty ones; `None` for the
    /// file as a whole.
    pub document: Option<usize>,
    /// The line in the file, counted from 1. For an object, where its document starts.
    pub line: Option<u64>,
}

/// What a [`Notice`] is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Cause {
    /// A field or a whole object that was skipped.
    Object(Problem),
    /// Anything else: what is wrong and what was done about it.
    Other(String),
}

impl Notice {
    /// A notice that has no place in a file.
    pub(crate) fn without_place(text: impl Into<String>) -> Notice {
        Notice { place: None, cause: Cause::Other(text.into()) }
    }

    /// A notice about a file or directory as a whole.
    pub(crate) fn about_file(file: &str, text: impl Into<String>) -> Notice {
        Notice { place: Some(Place::whole(file)), cause: Cause::Other(text.into()) }
    }
}

impl From<Problem> for Notice {
    fn from(problem: Problem) -> Notice {
        Notice { place: None, cause: Cause::Object(problem) }
    }
}

impl Place {
    /// A file or directory as a whole.
    pub(crate) fn whole(file: impl Into<Arc<str>>) -> Place {
        Place { file: file.into(), document: None, line: None }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        match &self.cause {
            Cause::Object(problem) => problem.fmt(f),
            Cause::Other(text) => Printable(text).fmt(f),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable(&self.file).fmt(f)?;
        if let Some(document) = self.document {
            write!(f, ", document {document}")?;
        }
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        Ok(())
    }
}

/// The beginning of a text from outside, on one line.
pub(crate) fn printable(text: &str, most_characters: usize) -> String {
    match text.char_indices().nth(most_characters) {
        None => Printable(text).to_string(),
        Some((end, _)) => format!("{}…", Printable(text.get(..end).unwrap_or_default())),
    }
}

#[cfg(test)]
mod tests {
    use portolan_core::{ObjectKind, ObjectName};

    use super::*;

    #[test]
    fn a_notice_prints_what_it_knows() {
        let problem = Problem {
            kind: ObjectKind::Service,
            object: ObjectName::new("default", "web"),
            field: "spec.ports[0].port".to_owned(),
            reason: "70000 is not a port".to_owned(),
        };
        let mut notice = Notice::from(problem);
        assert_eq!(
            notice.to_string(),
            "Service default/web: spec.ports[0].port: 70000 is not a port"
        );
        notice.place = Some(Place { file: "a.yaml".into(), document: Some(2), line: Some(9) });
        assert_eq!(
            notice.to_string(),
            "a.yaml, document 2, line 9: Service default/web: spec.ports[0].port: \
             70000 is not a port"
        );
        assert_eq!(Notice::about_file("a.yaml", "not UTF-8").to_string(), "a.yaml: not UTF-8");
        assert_eq!(Notice::without_place("no answer").to_string(), "no answer");
    }

    #[test]
    fn no_name_of_a_file_forges_a_line_or_commands_a_terminal() {
        let file = "we\n2026-01-01T00:00:00Z INFO fake\u{1b}[31m\u{202e}.yaml";
        let notice = Notice::about_file(file, "found \u{7}\r\n");
        assert_eq!(
            notice.to_string(),
            r"we\n2026-01-01T00:00:00Z INFO fake\u{1b}[31m\u{202e}.yaml: found \u{7}\r\n"
        );
    }

    #[test]
    fn text_from_outside_cannot_break_a_line_or_fill_a_log() {
        assert_eq!(printable("a\nb\u{1b}[31m \"é\"", 64), "a\\nb\\u{1b}[31m \"é\"");
        assert_eq!(printable("xxxx", 4), "xxxx");
        assert_eq!(printable("xxxxx", 4), "xxxx…");
    }
}
