//! The documents of one file: YAML or JSON text to manifests.

use serde_saphyr::options::NonFiniteFloatPolicy;
use serde_saphyr::{MessageFormatter, Options, UserMessageFormatter};

use super::split::{Chunk, split};
use crate::event::printable;
use crate::field::Field;
use crate::manifest::Manifest;

/// How much of a parser's message is shown: it may quote a key of any length.
const MOST_CHARACTERS: usize = 200;

/// One document.
#[derive(Debug, PartialEq)]
pub(super) struct Document {
    /// Its number in the file, from 1, without empty ones.
    pub(super) number: usize,
    /// The line on which it starts or, if it is broken, where it is broken; from 1.
    pub(super) line: u64,
    /// What it says, or why it cannot be read.
    pub(super) content: Result<Manifest, String>,
}

/// Reads a file. JSON is told by its first character, as `kubectl` does; what only looks
/// like it (`{kind: Service}`) is YAML.
pub(super) fn read_documents(text: &str, name_says_json: bool) -> Vec<Document> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if name_says_json || text.trim_start().starts_with('{') {
        let documents = read_json(text);
        if name_says_json || documents.iter().all(|document| document.content.is_ok()) {
            return documents;
        }
    }
    let mut documents = Vec::new();
    for chunk in split(text) {
        documents.extend(read_yaml(&chunk, documents.len() + 1));
    }
    documents
}

/// One JSON value after the other. What follows a broken one cannot be found.
fn read_json(text: &str) -> Vec<Document> {
    let mut documents = Vec::new();
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Field<Manifest>>();
    let mut lines = LineCounter::new(text);
    loop {
        let start = values.byte_offset();
        let Some(value) = values.next() else { return documents };
        let number = documents.len() + 1;
        let line = lines.line_of_content_at(start);
        match value {
            Ok(field) => documents.extend(document(number, line, field)),
            Err(error) => {
                let line = u64::try_from(error.line()).unwrap_or(line);
                let text = error.to_string();
                let place = format!(" at line {} column {}", error.line(), error.column());
                let text = printable(text.strip_suffix(&place).unwrap_or(&text), MOST_CHARACTERS);
                let column = error.column();
                let content =
                    Err(format!("column {column}: broken JSON, nothing after it is read: {text}"));
                documents.push(Document { number, line, content });
                return documents;
            }
        }
    }
}

/// `None` for a document that says nothing but `null`.
fn read_yaml(chunk: &Chunk<'_>, number: usize) -> Option<Document> {
    match serde_saphyr::from_str_with_options::<Field<Manifest>>(chunk.text, yaml_options()) {
        Ok(field) => document(number, chunk.content_line, field),
        Err(error) => {
            let location = error.location();
            let line = location.map_or(chunk.content_line, |at| chunk.line + at.line() - 1);
            let column = location.map_or(String::new(), |at| format!("column {}: ", at.column()));
            let message = UserMessageFormatter.format_message(error.without_snippet());
            let message = printable(&message, MOST_CHARACTERS);
            let content = Err(format!("{column}broken YAML: {message}"));
            Some(Document { number, line, content })
        }
    }
}

fn document(number: usize, line: u64, field: Field<Manifest>) -> Option<Document> {
    let content = match field {
        Field::Absent => return None,
        Field::Value(manifest) => Ok(manifest),
        Field::Wrong(found) => Err(format!("{found} where a Kubernetes object is expected")),
    };
    Some(Document { number, line, content })
}

/// How many nodes of a document may be kept for its anchors, and be put in place of its
/// aliases. Each takes some hundred bytes; thousands of objects can share their labels.
const MOST_ANCHORED_NODES: usize = 50_000;

/// How many bytes of text may be kept for the anchors of a document.
const MOST_ANCHORED_BYTES: usize = 4 << 20;

/// YAML as `kubectl` takes it. The parser's limits on size would refuse a `List` of a
/// large cluster; those against deep nesting stay, and those against aliases that
/// multiply are narrower, as manifests hardly use them.
fn yaml_options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: usize::MAX,
            max_nodes: usize::MAX,
            max_total_scalar_bytes: usize::MAX,
            max_recorded_anchor_events: MOST_ANCHORED_NODES,
            max_recorded_anchor_bytes: MOST_ANCHORED_BYTES,
            // Many objects with the same labels are no attack.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MOST_ANCHORED_NODES,
        },
        emit_comments: false,
        with_snippet: false,
        legacy_octal_numbers: true,
        // In a field that nobody reads, `.inf` must not cost the document.
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
    }
}

/// Line numbers of offsets that only grow.
struct LineCounter<'a> {
    text: &'a str,
    offset: usize,
    line: u64,
}

impl<'a> LineCounter<'a> {
    fn new(text: &'a str) -> LineCounter<'a> {
        LineCounter { text, offset: 0, line: 1 }
    }

    /// The line of the first character after `offset` that is not blank.
    fn line_of_content_at(&mut self, offset: usize) -> u64 {
        let rest = self.text.get(offset..).unwrap_or_default();
        let offset = offset + rest.len() - rest.trim_start().len();
        let passed = self.text.get(self.offset..offset).unwrap_or_default();
        self.line += passed.bytes().fold(0, |lines, byte| lines + u64::from(byte == b'\n'));
        self.offset = offset;
        self.line
    }
}
