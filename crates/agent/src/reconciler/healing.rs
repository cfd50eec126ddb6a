//! Finding out that others changed what is ours in the kernel.

use std::time::Duration;

use tokio::time::Instant;

/// How often the backend is asked. It costs one request of the kernel.
pub(crate) const CHECK_EVERY: Duration = Duration::from_secs(5);

/// Of so many failures in a row to read the kernel the last one counts as a failed sync: if
/// they go on, the health server has to tell.
const PATIENCE: u32 = 3;

/// When the backend is asked next; never before the first sync.
#[derive(Debug, Default)]
pub(super) struct Healing {
    due: Option<Instant>,
    /// How often in a row it could not tell.
    unread: u32,
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

    /// The backend could tell.
    pub(super) fn looked(&mut self) {
        self.unread = 0;
    }

    /// The kernel could not be read. Whether that is left at that until the next time.
    pub(super) fn may_look_again(&mut self) -> bool {
        self.unread = (self.unread + 1) % PATIENCE;
        self.unread != 0
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }
}
