//! Finding out that others changed what is ours in the kernel.

use std::time::Duration;

use tokio::time::Instant;

/// How often the backend is asked. It costs one request of the kernel.
pub(crate) const CHECK_EVERY: Duration = Duration::from_secs(5);

/// When the backend is asked next; never before the first sync.
#[derive(Debug, Default)]
pub(super) struct Healing {
    due: Option<Instant>,
}

impl Healing {
    pub(super) fn synced(&mut self, now: Instant) {
        self.due.get_or_insert(now + CHECK_EVERY);
    }

    /// Whether to ask now; counts as asked.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        let due = self.due.is_some_and(|due| due <= now);
        if due {
            self.due = Some(now + CHECK_EVERY);
        }
        due
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }
}
