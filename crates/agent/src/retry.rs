//! When to try again after a failure.

use std::time::Duration;

use tokio::time::Instant;

const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// Failures in a row: 1 s after the first, doubling to 30 s; news brings the next try
/// forward, to at most one a second. Failed changes are different: converging may well
/// succeed, so it is tried at once, which also happens at most once a second.
#[derive(Debug)]
pub(crate) struct Retry {
    delay: Duration,
    failures: u32,
    /// When changes may fail again without a pause; outlives successes.
    next_at_once: Option<Instant>,
}

/// The time until which nothing is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    until: Instant,
    earliest: Instant,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry { delay: FIRST_DELAY, failures: 0, next_at_once: None }
    }
}

impl Retry {
    /// Failures since the last success.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    pub(crate) fn failed(&mut self, now: Instant) -> Pause {
        let pause = Pause { until: now + self.delay, earliest: now + FIRST_DELAY };
        self.delay = LONGEST_DELAY.min(self.delay * 2);
        self.failures = self.failures.saturating_add(1);
        pause
    }

    /// Changes failed; nothing is known yet about converging.
    pub(crate) fn changes_failed(&mut self, now: Instant) -> Pause {
        let until = self.next_at_once.map_or(now, |next| next.max(now));
        self.next_at_once = Some(until + FIRST_DELAY);
        self.failures = self.failures.saturating_add(1);
        Pause { until, earliest: until }
    }

    pub(crate) fn succeeded(&mut self) {
        *self = Retry { next_at_once: self.next_at_once, ..Retry::default() };
    }
}

impl Pause {
    pub(crate) fn until(self) -> Instant {
        self.until
    }

    /// Something changed, which may have mended the failure.
    pub(crate) fn news(&mut self, now: Instant) {
        self.until = self.until.min(self.earliest.max(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_to_thirty_seconds_and_start_over_after_a_success() {
        let now = Instant::now();
        let mut retry = Retry::default();
        let delays: Vec<u64> =
            (0..7).map(|_| (retry.failed(now).until() - now).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 30, 30]);
        assert_eq!(retry.failures(), 7);
        retry.succeeded();
        assert_eq!((retry.failed(now).until() - now).as_secs(), 1);
        assert_eq!(retry.failures(), 1);
    }

    #[test]
    fn after_failed_changes_there_is_no_pause_but_once_a_second() {
        let start = Instant::now();
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut retry = Retry::default();
        assert_eq!(retry.changes_failed(start).until(), start);
        retry.succeeded();
        assert_eq!(retry.changes_failed(at(300)).until(), at(1000));
        assert_eq!(retry.failed(at(1000)).until(), at(2000), "the first pause is the shortest");
        assert_eq!(retry.failures(), 2);
        retry.succeeded();
        assert_eq!(retry.changes_failed(at(5000)).until(), at(5000));
    }

    #[test]
    fn news_brings_the_next_try_forward_but_not_within_a_second_of_the_last() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut retry = Retry::default();
        let mut pause = retry.failed(start);
        for _ in 0..3 {
            pause = retry.failed(start);
        }
        assert_eq!(pause.until(), at(8));
        let mut late = pause;
        late.news(at(3));
        assert_eq!(late.until(), at(3));
        late.news(at(5));
        assert_eq!(late.until(), at(3), "later news never puts a try off");
        pause.news(start);
        assert_eq!(pause.until(), at(1));
    }
}
