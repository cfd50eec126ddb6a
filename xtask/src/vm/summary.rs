//! What a run ends with: a table of all programs on all kernels.

use std::time::Duration;

use anyhow::{Result, bail};

use super::job::Finished;

/// A line of the table.
#[derive(Debug)]
pub(super) struct Row {
    kernel: String,
    name: String,
    /// The exit status and the milliseconds; `None` if nothing was reported.
    report: Option<(Option<i32>, u64)>,
}

impl Row {
    /// The line for a kernel that no program ran on.
    pub(super) fn nothing_ran(kernel: String) -> Row {
        Row { kernel, name: String::new(), report: None }
    }

    fn passed(&self) -> bool {
        matches!(self.report, Some((Some(0), _)))
    }
}

/// One line for each name that must have been reported, whether or not it was.
pub(super) fn rows<'a>(
    kernel: &str,
    expected: impl Iterator<Item = &'a str>,
    finished: &[Finished],
) -> Vec<Row> {
    expected
        .map(|name| {
            let report = finished.iter().find(|it| it.name == name);
            let report = report.map(|it| (it.code, it.milliseconds));
            Row { kernel: kernel.to_owned(), name: name.to_owned(), report }
        })
        .collect()
}

/// Prints the table.
///
/// # Errors
/// When a line is not that of a success.
pub(super) fn print(rows: &[Row]) -> Result<()> {
    println!("\n{:<28} {:<28} {:<8} {:>9}", "kernel", "test", "result", "duration");
    for row in rows {
        let (word, duration) = match row.report {
            Some((_, milliseconds)) => {
                let seconds = Duration::from_millis(milliseconds).as_secs_f64();
                (if row.passed() { "ok" } else { "FAILED" }, format!("{seconds:.1} s"))
            }
            None => ("NOT RUN", String::new()),
        };
        println!("{:<28} {:<28} {word:<8} {duration:>9}", row.kernel, row.name);
    }
    let failed = rows.iter().filter(|row| !row.passed()).count();
    if failed > 0 {
        bail!("{failed} of {} failed or did not run; the output above says why", rows.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(name: &str, code: Option<i32>) -> Finished {
        Finished { name: name.to_owned(), code, milliseconds: 1 }
    }

    #[test]
    fn only_a_program_that_reported_success_has_passed() {
        for (reports, passes) in [
            (vec![finished("a", Some(0)), finished("b", Some(0))], true),
            (vec![finished("a", Some(0)), finished("b", Some(101))], false),
            (vec![finished("a", Some(0)), finished("b", None)], false),
            (vec![finished("a", Some(0))], false),
            (vec![], false),
        ] {
            let rows = rows("6.1", ["a", "b"].into_iter(), &reports);
            assert_eq!(rows.len(), 2);
            assert_eq!(print(&rows).is_ok(), passes, "{reports:?}");
        }
    }

    #[test]
    fn a_kernel_that_ran_nothing_has_not_passed() {
        assert!(print(&[Row::nothing_ran("6.1".to_owned())]).is_err());
    }
}
