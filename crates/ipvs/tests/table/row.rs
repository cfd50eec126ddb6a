//! A line of the table.

use std::time::{Duration, Instant};

use portolan_core::{BackendError, SyncReport};

/// What one kind of work took, and what the last of it sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    times: Vec<Duration>,
    last: SyncReport,
}

impl Row {
    /// Does some of the work.
    pub(crate) fn time(&mut self, work: impl FnOnce() -> Result<SyncReport, BackendError>) {
        let start = Instant::now();
        let report = work().unwrap();
        self.times.push(start.elapsed());
        self.last = report;
    }

    /// Objects, elements, virtual servers and destinations that were sent, and in how many
    /// requests and transactions.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.last.added + self.last.deleted, self.last.transactions)
    }

    pub(crate) fn headline() {
        println!(
            "{:<26} {:<9} {:>8} {:>10} {:>10} {:>11} {:>9} {:>10}",
            "", "", "services", "median", "p99", "operations", "requests", "bytes"
        );
    }

    pub(crate) fn print(&self, what: &str, backend: &str, services: u32) {
        let (operations, requests) = self.counts();
        println!(
            "{what:<26} {backend:<9} {services:>8} {:>10} {:>10} {operations:>11} {requests:>9} {:>10}",
            readable(self.quantile(50)),
            readable(self.quantile(99)),
            self.last.bytes,
        );
    }

    fn quantile(&self, percent: usize) -> Duration {
        let mut sorted = self.times.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        sorted.get(last * percent / 100).copied().unwrap_or_default()
    }
}

fn readable(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 1.0 { format!("{seconds:.2} s") } else { format!("{:.3} ms", seconds * 1e3) }
}
