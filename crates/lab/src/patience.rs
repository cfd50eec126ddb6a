use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::LabError;

/// What the kernel does in the background takes it a millisecond, or seconds while it makes or
/// ends many namespaces; what is not done after this time never will be.
const PATIENCE: Duration = Duration::from_secs(60);

const FIRST_PAUSE: Duration = Duration::from_micros(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(10);

/// Asks again and again, at growing intervals, whether something is done; false if it is not
/// in the end.
pub(crate) fn wait_until(
    mut is_done: impl FnMut() -> Result<bool, LabError>,
) -> Result<bool, LabError> {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = FIRST_PAUSE;
    while !is_done()? {
        if Instant::now() > deadline {
            return Ok(false);
        }
        sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
    Ok(true)
}
