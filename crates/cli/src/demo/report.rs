//! What the demo prints: sections, one result after the other, and the sum of it.

mod lines;
mod reader;

use std::io::{self, IsTerminal, Write};

use self::lines::{GAP, INDENT, columns, wrap};
use self::reader::Printed;
pub(super) use self::reader::ReaderLeft;

/// One thing that was tried.
#[derive(Debug, Default)]
pub(super) struct Finding {
    /// What was tried.
    pub(super) subject: String,
    /// How it went, in a few words.
    pub(super) summary: String,
    /// More about it; each part is kept on one line.
    pub(super) details: Vec<String>,
    /// Still more, in words that may be wrapped anywhere.
    pub(super) text: String,
    /// What was not as expected; nothing if all was.
    pub(super) differences: Vec<String>,
}

/// Prints, and remembers what was not as expected.
pub(super) struct Report {
    out: Box<dyn Write>,
    colour: bool,
    sections: usize,
    findings: usize,
    failed: Vec<String>,
}

impl Report {
    /// A report on standard output, in colour if a terminal wants it (see no-color.org).
    pub(super) fn on_stdout() -> Report {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = io::stdout().is_terminal() && !unwanted;
        Report::new(Box::new(io::stdout()), colour)
    }

    fn new(out: Box<dyn Write>, colour: bool) -> Report {
        let out = Box::new(Printed::to(out));
        Report { out, colour, sections: 0, findings: 0, failed: Vec::new() }
    }

    /// Prints lines as they are.
    pub(super) fn lines<T: AsRef<str>>(&mut self, lines: &[T]) -> io::Result<()> {
        lines.iter().try_for_each(|line| writeln!(self.out, "{}", line.as_ref()))
    }

    /// Starts a section that shows something.
    pub(super) fn section(&mut self, title: &str, about: &str) -> io::Result<()> {
        self.sections += 1;
        let title = self.paint("1", &format!("{:>2}  {title}", self.sections));
        writeln!(self.out, "\n{title}")?;
        for line in wrap(about.split_whitespace(), " ", 4) {
            writeln!(self.out, "{line}")?;
        }
        writeln!(self.out)
    }

    /// Prints a heading that is no section.
    pub(super) fn heading(&mut self, title: &str) -> io::Result<()> {
        let title = self.paint("1", title);
        writeln!(self.out, "\n{title}")
    }

    /// Prints how something went.
    pub(super) fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        self.findings += 1;
        let well = finding.differences.is_empty();
        let mark = if well { self.paint("32", "    ok") } else { self.paint("31;1", "FAILED") };
        let title = columns(&finding.subject, &finding.summary);
        for (line, mark) in title.iter().zip([mark.as_str(), "      "]) {
            writeln!(self.out, "{mark}{GAP}{line}")?;
        }
        let details = wrap(finding.details.iter().map(String::as_str), GAP, INDENT);
        let text = wrap(finding.text.split_whitespace(), " ", INDENT);
        for line in details.iter().chain(&text) {
            writeln!(self.out, "{line}")?;
        }
        for difference in &finding.differences {
            let difference = self.paint("31", &format!("but {difference}"));
            writeln!(self.out, "{:INDENT$}{difference}", "")?;
            self.failed.push(format!("{}: {difference}", finding.subject));
        }
        Ok(())
    }

    /// Prints the sum. True if everything was as expected.
    pub(super) fn sum_up(&mut self, took: std::time::Duration) -> io::Result<bool> {
        let well = self.failed.is_empty();
        let seconds = took.as_secs_f64();
        let sum = match well {
            true => self.paint("32;1", &format!("All {} as expected", self.findings)),
            false => self.paint("31;1", &format!("Not as expected: {}", self.failed.len())),
        };
        writeln!(self.out, "\n{sum}, in {seconds:.1} s.")?;
        for failed in &self.failed {
            writeln!(self.out, "  {failed}")?;
        }
        Ok(well)
    }

    fn paint(&self, code: &str, text: &str) -> String {
        match self.colour {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::lines::WIDTH;
    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Page {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    fn report(colour: bool) -> (Page, Report) {
        let page = Page::default();
        (page.clone(), Report::new(Box::new(page), colour))
    }

    fn findings() -> [Finding; 2] {
        [
            Finding {
                subject: "pod 10.244.1.99 → web 10.96.0.80:80".to_owned(),
                summary: "source seen: the caller's".to_owned(),
                details: (1..=9).map(|number| format!("10.244.1.{number} ×12")).collect(),
                text: "words ".repeat(20),
                differences: Vec::new(),
            },
            Finding {
                subject: "a".repeat(90),
                summary: "too much for one line".to_owned(),
                differences: vec!["10.244.2.11:8080 never answered".to_owned()],
                ..Finding::default()
            },
        ]
    }

    #[test]
    fn a_page_fits_into_its_width_and_ends_with_what_differed() {
        let (page, mut report) = report(false);
        let about = "It is shown, ".repeat(12);
        report.section("A pod calls a service", &about).unwrap();
        for finding in findings() {
            report.finding(&finding).unwrap();
        }
        let took = std::time::Duration::from_millis(12_345);
        assert!(!report.sum_up(took).unwrap());
        insta::assert_snapshot!(page.text());
        assert!(
            page.text()
                .lines()
                .all(|line| line.starts_with("  aaa") || line.chars().count() <= WIDTH)
        );
    }

    #[test]
    fn a_page_without_differences_is_well() {
        let (page, mut report) = report(false);
        let [well, _] = findings();
        report.finding(&well).unwrap();
        assert!(report.sum_up(std::time::Duration::from_secs(1)).unwrap());
        assert!(page.text().ends_with("\nAll 1 as expected, in 1.0 s.\n"), "{}", page.text());
    }

    #[test]
    fn only_a_page_in_colour_has_escape_codes() {
        for colour in [false, true] {
            let (page, mut report) = report(colour);
            report.section("Title", "about").unwrap();
            findings().iter().for_each(|finding| report.finding(finding).unwrap());
            report.sum_up(std::time::Duration::ZERO).unwrap();
            assert_eq!(page.text().contains('\u{1b}'), colour);
        }
    }
}
