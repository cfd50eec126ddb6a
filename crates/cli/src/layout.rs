//! Columns of text.

use std::fmt::{self, Display, Formatter};

/// A name longer than this stands on a line of its own, so that a single one does not push
/// all columns off the screen.
const LONGEST_NAME: usize = 34;

/// A number of things.
pub(crate) fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Rows under a header. The first column names what a row is about, and is written only
/// where it changes.
pub(crate) struct Table<const COLUMNS: usize> {
    header: [&'static str; COLUMNS],
    rows: Vec<[String; COLUMNS]>,
}

impl<const COLUMNS: usize> Table<COLUMNS> {
    pub(crate) fn new(header: [&'static str; COLUMNS]) -> Table<COLUMNS> {
        Table { header, rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: [String; COLUMNS]) {
        self.rows.push(row);
    }

    fn widths(&self) -> [usize; COLUMNS] {
        let mut widths = self.header.map(width);
        for row in &self.rows {
            for (column, (widest, cell)) in widths.iter_mut().zip(row).enumerate() {
                if column > 0 || width(cell) <= LONGEST_NAME {
                    *widest = (*widest).max(width(cell));
                }
            }
        }
        widths
    }
}

impl<const COLUMNS: usize> Display for Table<COLUMNS> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        write_line(f, self.header, &widths)?;
        let mut about = None;
        for row in &self.rows {
            let mut cells = row.each_ref().map(String::as_str);
            if let Some(name) = cells.first_mut() {
                if about.replace(*name) == Some(*name) {
                    *name = "";
                } else if width(name) > LONGEST_NAME {
                    writeln!(f, "{name}")?;
                    *name = "";
                }
            }
            write_line(f, cells, &widths)?;
        }
        Ok(())
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

fn write_line<const COLUMNS: usize>(
    f: &mut Formatter<'_>,
    cells: [&str; COLUMNS],
    widths: &[usize; COLUMNS],
) -> fmt::Result {
    let mut line = String::new();
    for (cell, width) in cells.iter().zip(widths) {
        line.push_str(&format!("{cell:<width$}  "));
    }
    writeln!(f, "{}", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_names_are_not_repeated() {
        let mut table = Table::new(["NAME", "WHAT"]);
        let long = "a-namespace/a-name-that-is-too-long-for-its-column";
        for [name, what] in [["web", "a"], ["web", "b"], [long, "c"], [long, "d"], ["web", "e"]] {
            table.push([name.to_owned(), what.to_owned()]);
        }
        let expected =
            ["NAME  WHAT", "web   a", "      b", long, "      c", "      d", "web   e", ""];
        assert_eq!(table.to_string(), expected.join("\n"));
    }
}
