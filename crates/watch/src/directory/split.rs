//! Cuts a file into its YAML documents before they are parsed, so that a broken one does
//! not take its neighbours along.
//!
//! Document markers are the one thing in YAML that can be found without parsing: no
//! content may begin a line with them, not even that of a quoted or a block scalar
//! (YAML 1.2.2, section 9.1.2 and the production `c-forbidden`).

/// The text of one document, with its own marker and directives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    /// What to parse.
    pub(super) text: &'a str,
    /// The line of the file on which `text` starts, counted from 1.
    pub(super) line: u64,
    /// The line of the file on which the content starts.
    pub(super) content_line: u64,
}

/// The documents of a file that have any content.
pub(super) fn split(text: &str) -> Vec<Chunk<'_>> {
    let mut splitter = Splitter::default();
    let mut offset = 0;
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        splitter.line(text, line, offset, number);
        offset += line.len();
    }
    splitter.finish(text, offset);
    splitter.chunks
}

#[derive(Default)]
struct Splitter<'a> {
    chunks: Vec<Chunk<'a>>,
    /// Offset and line of what is being collected.
    start: usize,
    start_line: u64,
    marked: bool,
    content_line: Option<u64>,
}

impl<'a> Splitter<'a> {
    fn line(&mut self, text: &'a str, line: &str, offset: usize, number: u64) {
        if self.start_line == 0 {
            self.restart(offset, number);
        }
        if let Some(rest) = after_marker(line, "---") {
            if self.marked || self.content_line.is_some() {
                self.finish(text, offset);
                self.restart(offset, number);
            }
            self.marked = true;
            self.content_line = has_content(rest).then_some(number);
        } else if after_marker(line, "...").is_some() {
            self.finish(text, offset);
            self.restart(offset + line.len(), number + 1);
        } else if self.content_line.is_none() && has_content(line) && !self.is_directive(line) {
            self.content_line = Some(number);
        }
    }

    fn is_directive(&self, line: &str) -> bool {
        !self.marked && line.starts_with('%')
    }

    fn restart(&mut self, offset: usize, line: u64) {
        (self.start, self.start_line, self.marked, self.content_line) = (offset, line, false, None);
    }

    fn finish(&mut self, text: &'a str, end: usize) {
        if let (Some(content_line), Some(text)) = (self.content_line, text.get(self.start..end)) {
            self.chunks.push(Chunk { text, line: self.start_line, content_line });
        }
    }
}

/// What follows a marker that begins a line and ends at a blank.
fn after_marker<'a>(line: &'a str, marker: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(marker)?;
    (rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n'])).then_some(rest)
}

fn has_content(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<(u64, &str)> {
        split(text).into_iter().map(|chunk| (chunk.content_line, chunk.text)).collect()
    }

    #[test]
    fn markers_and_only_markers_separate_documents() {
        for (text, expected) in [
            ("", vec![]),
            ("\n# nothing\n---\n---\n...\n", vec![]),
            ("a: 1", vec![(1, "a: 1")]),
            ("a: 1\n---\nb: 2\n", vec![(1, "a: 1\n"), (3, "---\nb: 2\n")]),
            ("---\na: 1\n---\n", vec![(2, "---\na: 1\n")]),
            ("---\n---\na: 1\n", vec![(3, "---\na: 1\n")]),
            ("# hi\n---\na: 1\n", vec![(3, "# hi\n---\na: 1\n")]),
            ("%YAML 1.2\n---\na: 1\n", vec![(3, "%YAML 1.2\n---\na: 1\n")]),
            (
                "a: 1\n...\n%YAML 1.2\n---\nb: 2\n",
                vec![(1, "a: 1\n"), (5, "%YAML 1.2\n---\nb: 2\n")],
            ),
            ("a: 1\n...\nb: 2\n", vec![(1, "a: 1\n"), (3, "b: 2\n")]),
            ("--- {a: 1}\n--- # empty\n--- b\n", vec![(1, "--- {a: 1}\n"), (3, "--- b\n")]),
            ("a: |\n  ---\n  x\nb: ---x\n ---\n", vec![(1, "a: |\n  ---\n  x\nb: ---x\n ---\n")]),
            ("----\n", vec![(1, "----\n")]),
            (
                "---\r\na: 1\r\n---\r\nb: 2\r\n",
                vec![(2, "---\r\na: 1\r\n"), (4, "---\r\nb: 2\r\n")],
            ),
        ] {
            assert_eq!(texts(text), expected, "{text:?}");
        }
    }

    #[test]
    fn chunks_know_the_line_on_which_they_start() {
        let chunks = split("a: 1\n---\n\n# comment\nb: 2\n");
        assert_eq!((chunks[1].line, chunks[1].content_line), (2, 5));
    }
}
