//! When conflicts between Services are told.

use std::mem::take;
use std::time::Duration;

use tokio::time::Instant;

use super::Reconciler;

/// How long conflicts between Services settle before they are told: most are gone when
/// the second half of a change arrives.
pub(super) const SETTLE: Duration = Duration::from_secs(1);

/// Whether the index may have something else to say than it was last asked for.
#[derive(Debug, Default)]
pub(super) struct Telling {
    stale: bool,
    due: Option<Instant>,
}

impl Telling {
    /// The index has changed.
    pub(super) fn news(&mut self) {
        self.stale = true;
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }
}

impl Reconciler {
    pub(super) fn watch_problems(&mut self, now: Instant) {
        let stale = take(&mut self.telling.stale);
        if stale && (self.index.counts().problems > 0 || self.problems.index_said_something()) {
            self.telling.due.get_or_insert(now + SETTLE);
        }
    }

    pub(super) fn tell_problems(&mut self, now: Instant) {
        if self.telling.due.take_if(|due| *due <= now).is_some() {
            self.problems.index_says(self.index.problems());
        }
    }
}
