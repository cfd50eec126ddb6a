//! How text is laid out in lines.

/// The width that everything fits into.
pub(super) const WIDTH: usize = 100;
/// Where the text of results starts, to the right of `ok` or `FAILED`.
pub(super) const INDENT: usize = 8;
/// The width of what was tried, before how it went.
const SUBJECT: usize = 60;
/// Between two parts of a line.
pub(super) const GAP: &str = "  ";

/// What was tried and, in a column of its own, how it went. If they do not fit beside each
/// other, on two lines.
pub(super) fn columns(subject: &str, summary: &str) -> Vec<String> {
    if summary.is_empty() {
        return vec![subject.to_owned()];
    }
    let room = WIDTH - INDENT;
    let wanted = [subject, GAP, summary].map(width).iter().sum::<usize>();
    if wanted > room {
        return vec![subject.to_owned(), summary.to_owned()];
    }
    let column = SUBJECT.min(room - width(GAP) - width(summary)).max(width(subject));
    vec![format!("{subject:<column$}{GAP}{summary}")]
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Puts parts on as few lines as they need, each indented, with `gap` between parts.
pub(super) fn wrap<'a>(
    parts: impl Iterator<Item = &'a str>,
    gap: &str,
    indent: usize,
) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if width(line) + width(gap) + width(part) <= WIDTH => {
                line.push_str(gap);
                line.push_str(part);
            }
            _ => lines.push(format!("{:indent$}{part}", "")),
        }
    }
    lines
}
