//! How often everything is compared with the kernel.

use std::time::{Duration, Instant};

/// Not more often than this,
const REST: Duration = Duration::from_secs(60);

/// nor so often that comparing takes more than this part of the time.
const SHARE: u32 = 100;

/// When everything was last compared with the kernel, and what that cost.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    last: Instant,
    cost: Duration,
}

impl Pace {
    /// Counts from now.
    pub fn new(now: Instant) -> Pace {
        Pace { last: now, cost: Duration::ZERO }
    }

    /// Everything has been compared, which took so long.
    pub fn compared(&mut self, now: Instant, cost: Duration) {
        *self = Pace { last: now, cost };
    }

    /// Whether it may be compared again: a minute later, or so much later that it takes no
    /// more than a hundredth of the time.
    pub fn is_due(&self, now: Instant) -> bool {
        let rest = REST.max(self.cost.saturating_mul(SHARE));
        now.saturating_duration_since(self.last) >= rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_much_is_done_seldom() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        for (milliseconds, due_after) in [(0, 60), (10, 60), (2000, 200)] {
            pace.compared(now, Duration::from_millis(milliseconds));
            let due = now + Duration::from_secs(due_after);
            assert!(pace.is_due(due), "{milliseconds}");
            assert!(!pace.is_due(due - Duration::from_secs(1)), "{milliseconds}");
        }
    }
}
