//! Timed runs, and the numbers that remain of them.

use std::time::{Duration, Instant};

/// Times that belong to one line of the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<Duration>);

impl Times {
    /// Runs something and remembers how long it took.
    pub(crate) fn time<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let start = Instant::now();
        let result = work();
        self.0.push(start.elapsed());
        result
    }

    /// Remembers a time that was measured elsewhere.
    pub(crate) fn record(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The time that half of the runs kept within.
    pub(crate) fn median(&self) -> Duration {
        self.quantile(50)
    }

    /// The time that so many percent of the runs kept within.
    pub(crate) fn quantile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        sorted.get(last * percent / 100).copied().unwrap_or_default()
    }
}

/// A duration in the unit that reads best.
pub(crate) fn readable(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 1.0 {
        format!("{seconds:.2} s")
    } else if seconds >= 0.001 {
        format!("{:.2} ms", seconds * 1e3)
    } else {
        format!("{:.0} us", seconds * 1e6)
    }
}

/// How many times longer one duration is than another.
pub(crate) fn ratio(duration: Duration, floor: Duration) -> String {
    if floor.is_zero() {
        return "-".to_owned();
    }
    format!("{:.2}x", duration.as_secs_f64() / floor.as_secs_f64())
}
