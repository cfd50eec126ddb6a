//! Names and texts from outside, made fit for one line.

use std::fmt::{self, Write as _};

/// A text of which everything is escaped that does not print: a new line would forge an
/// entry of a log or a row of a table, and an escape sequence commands a terminal. Quotation
/// marks and backslashes stay, so that printing twice changes nothing.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| match character {
            '"' | '\'' | '\\' => f.write_char(character),
            _ => write!(f, "{}", character.escape_debug()),
        })
    }
}
