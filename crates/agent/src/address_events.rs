//! When to look at the addresses of this machine again: when the kernel says so.

use std::future::pending;
use std::time::Duration;

use portolan_netlink::AddressMonitor;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use crate::error::chain;

/// The least time between two looks: addresses come and go in bursts.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// Announcements that one look answers; more than the socket holds by default.
const ANNOUNCEMENTS_AT_ONCE: usize = 1024;

/// Announcements of changed addresses, several at a time.
pub(crate) struct AddressEvents {
    /// `None` if nobody wants to know, or if they cannot be had.
    monitor: Option<AddressMonitor>,
    /// Something was announced that nobody was told of yet.
    announced: bool,
    next_look: Instant,
}

impl AddressEvents {
    /// Subscribes if the addresses are `wanted`. If that fails, this says so, and no
    /// change is ever announced.
    pub(crate) fn open(wanted: bool) -> AddressEvents {
        let monitor = if wanted { open_monitor() } else { None };
        AddressEvents { monitor, announced: false, next_look: Instant::now() }
    }

    /// Waits until addresses have changed, the first of a burst at once, then at most ten
    /// times a second. Loses nothing if it is cancelled.
    pub(crate) async fn changed(&mut self) {
        while !self.announced {
            let Some(monitor) = &self.monitor else { return pending().await };
            match monitor.announced().await {
                Ok(()) => self.announced = true,
                Err(error) => {
                    warn_of_loss(&error.to_string());
                    self.monitor = None;
                }
            }
        }
        sleep_until(self.next_look).await;
        // The look that follows answers everything announced until now.
        if let Some(monitor) = &self.monitor {
            monitor.skip(ANNOUNCEMENTS_AT_ONCE);
        }
        self.announced = false;
        self.next_look = Instant::now() + BETWEEN_LOOKS;
    }
}

fn open_monitor() -> Option<AddressMonitor> {
    AddressMonitor::open().inspect_err(|error| warn_of_loss(&chain(error))).ok()
}

fn warn_of_loss(reason: &str) {
    warn!(
        "the kernel does not announce changed addresses to this agent: {reason}; NodePorts \
         (--nodeport-addresses) follow within 30 s instead of at once"
    );
}
