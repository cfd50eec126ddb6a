//! What one call costs.

use std::time::{Duration, Instant};

use crate::allocations;

/// What is measured of one call.
pub(super) struct Meter {
    begin: Instant,
    allocations: Option<u64>,
}

/// What one call cost.
#[derive(Clone, Copy)]
pub(super) struct Cost {
    pub(super) time: Duration,
    /// Of this thread, which is the only one that works meanwhile; nothing if nobody counts.
    pub(super) allocations: Option<u64>,
}

impl Meter {
    pub(super) fn start() -> Meter {
        Meter { allocations: allocations::so_far(), begin: Instant::now() }
    }

    pub(super) fn stop(self) -> Cost {
        let time = self.begin.elapsed();
        Cost { time, allocations: allocations::since(self.allocations) }
    }
}
