//! What is going on, on standard error, while the table waits for its figures.

use std::time::Instant;

/// Says what is measured, with the time since the start.
#[derive(Debug)]
pub(crate) struct Progress {
    start: Instant,
    quiet: bool,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Progress {
        Progress { start: Instant::now(), quiet }
    }

    pub(crate) fn say(&self, what: &str) {
        if !self.quiet {
            eprintln!("{:>7.1} s  {what}", self.start.elapsed().as_secs_f64());
        }
    }

    pub(crate) fn elapsed_seconds(&self) -> f64 {
        self.start.elapsed().as_secs_f64()
    }
}
