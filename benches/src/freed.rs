//! Waits for the kernel's memory.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// How often the kernel's memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// So long without falling means that nothing is left to free: several times what readers of
/// old data (RCU) are waited for on an idle machine.
const SETTLED: Duration = Duration::from_millis(150);
/// What it may fall by meanwhile, in kilobytes: somebody frees a little at any time.
const LITTLE: u64 = 128;
/// Longer than any table takes; another program may free memory all the time.
const MOST: Duration = Duration::from_secs(10);

/// Waits until the memory of a table that was deleted is free.
///
/// The kernel commits at once, and frees the elements afterwards in the background
/// (`nf_tables_trans_destroy_work`, net/netfilter/nf_tables_api.c), for as long as making
/// them took, on a processor that whoever is measured would want. Nothing tells when it is
/// done, but `SUnreclaim` of /proc/meminfo, where the elements are, falls until then.
pub(crate) fn wait_until_freed() -> anyhow::Result<()> {
    let begin = Instant::now();
    let mut fall = Fall { lowest: slab()?, since: begin };
    while fall.since.elapsed() < SETTLED && begin.elapsed() < MOST {
        std::thread::sleep(LOOK_EVERY);
        fall.see(slab()?, Instant::now());
    }
    Ok(())
}

/// What fell last, and when.
#[derive(Clone, Copy, Debug)]
struct Fall {
    lowest: u64,
    since: Instant,
}

impl Fall {
    fn see(&mut self, kilobytes: u64, now: Instant) {
        if kilobytes + LITTLE < self.lowest {
            *self = Fall { lowest: kilobytes, since: now };
        }
    }
}

/// Kilobytes of the kernel's own objects.
fn slab() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/meminfo").context("cannot read /proc/meminfo")?;
    unreclaimable(&text).context("no SUnreclaim in /proc/meminfo")
}

fn unreclaimable(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("SUnreclaim:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_free_once_it_has_not_fallen_for_a_while() {
        let begin = Instant::now();
        let at = |milliseconds| begin + Duration::from_millis(milliseconds);
        let mut fall = Fall { lowest: 10_000, since: begin };
        for (milliseconds, kilobytes, since) in
            [(10, 12_000, 0), (20, 9_900, 0), (30, 5_000, 30), (40, 4_900, 30), (50, 4_800, 50)]
        {
            fall.see(kilobytes, at(milliseconds));
            assert_eq!(fall.since, at(since), "after {milliseconds} ms");
        }
    }

    #[test]
    fn the_line_of_proc_is_understood() {
        let text = "MemTotal: 1 kB\nSReclaimable:     5 kB\nSUnreclaim:      1234 kB\n";
        assert_eq!((unreclaimable(text), unreclaimable("MemTotal: 1 kB")), (Some(1_234), None));
        assert!(slab().unwrap() > 0);
    }
}
