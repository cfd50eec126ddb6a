//! What a process uses, as the kernel counts it.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;
use nix::time::{clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// Since the process started; memory as it is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// User and system, all threads, exited ones included: the clock of the process, which
    /// is exact to a microsecond where `utime` and `stime` of /proc count hundredths of a
    /// second. Of programs that it executed and that have ended, in such hundredths.
    pub(crate) cpu: Duration,
    /// Bytes (`VmRSS`).
    pub(crate) resident: u64,
    /// Bytes (`VmHWM`).
    pub(crate) peak: u64,
    /// Voluntary and not, of the threads that there are now.
    pub(crate) switches: u64,
    /// Pages given to the process without reading from a disk (`minflt`).
    pub(crate) faults: u64,
}

impl Usage {
    /// Of the process with this id, which must be alive.
    pub(crate) fn of(process: u32) -> anyhow::Result<Usage> {
        let own = cpu(process)?;
        let status = read(&format!("/proc/{process}/status"))?;
        let mut switches = 0;
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            // A thread may end meanwhile.
            let status = fs::read_to_string(thread?.path().join("status")).unwrap_or_default();
            switches += field(&status, "voluntary_ctxt_switches").unwrap_or_default();
            switches += field(&status, "nonvoluntary_ctxt_switches").unwrap_or_default();
        }
        let stat = read(&format!("/proc/{process}/stat"))?;
        let children = u32::try_from(children_ticks(&stat).unwrap_or_default())?;
        Ok(Usage {
            cpu: own + TICK * children,
            resident: 1024 * field(&status, "VmRSS").context("no VmRSS in /proc")?,
            peak: 1024 * field(&status, "VmHWM").context("no VmHWM in /proc")?,
            switches,
            faults: minor_faults(&stat).unwrap_or_default(),
        })
    }

    /// What was used since `earlier`, with the memory as it is in `self`.
    pub(crate) fn since(self, earlier: &Usage) -> Usage {
        Usage {
            cpu: self.cpu.saturating_sub(earlier.cpu),
            switches: self.switches.saturating_sub(earlier.switches),
            faults: self.faults.saturating_sub(earlier.faults),
            ..self
        }
    }
}

/// User and system, of all threads of a process, exited ones included: one system call for who
/// asks.
pub(crate) fn cpu(process: u32) -> anyhow::Result<Duration> {
    let pid = Pid::from_raw(i32::try_from(process)?);
    let clock = clock_getcpuclockid(pid).context("the process has ended")?;
    Ok(clock_gettime(clock)?.into())
}

/// Whether a process executes programs that have not ended.
pub(crate) fn has_children(process: u32) -> anyhow::Result<bool> {
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        // Missing where the kernel is without CONFIG_PROC_CHILDREN, or the thread has ended.
        let children = fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
        if !children.trim().is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn read(path: &str) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

/// The number of a line such as `VmRSS:     1234 kB`.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

/// What /proc counts in, the same on all machines (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// The tenth field of `/proc/PID/stat`.
fn minor_faults(stat: &str) -> Option<u64> {
    numbers(stat)?.nth(10 - 3)
}

/// The sixteenth and the seventeenth, user and system: of children that were waited for.
fn children_ticks(stat: &str) -> Option<u64> {
    let mut numbers = numbers(stat)?.skip(16 - 3);
    Some(numbers.next()? + numbers.next()?)
}

/// The fields of `/proc/PID/stat` from the third on, zero for those that are no numbers. The
/// second is the program's name in parentheses, which may hold spaces.
fn numbers(stat: &str) -> Option<impl Iterator<Item = u64> + '_> {
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(|field| field.parse().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_lines_of_proc_are_understood() {
        let status = "Name:\tportolan\nVmHWM:\t   2048 kB\nVmRSS:\t    512 kB\n\
                      voluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t3\n";
        for (name, expected) in [
            ("VmHWM", Some(2048)),
            ("VmRSS", Some(512)),
            ("voluntary_ctxt_switches", Some(7)),
            ("nonvoluntary_ctxt_switches", Some(3)),
            ("VmSwap", None),
        ] {
            assert_eq!(field(status, name), expected, "{name}");
        }
        let stat = "1 (a ) b) S 4 5 6 7 8 9 10 11 12 13 14 15 1600 17 18 19";
        assert_eq!((minor_faults(stat), children_ticks(stat)), (Some(10), Some(1617)));
    }

    #[test]
    fn a_program_is_seen_until_it_ends() {
        let mut parent = Command::new("sh");
        let parent = parent.args(["-c", "sleep 60 & read line; kill $!; wait; read line"]);
        let mut parent = parent.stdin(Stdio::piped()).spawn().unwrap();
        let id = parent.id();
        let has = |expected: bool| {
            let begin = Instant::now();
            while has_children(id).unwrap() != expected {
                assert!(begin.elapsed() < Duration::from_secs(60), "{expected}");
                std::thread::sleep(Duration::from_millis(1));
            }
        };
        has(true);
        let input = parent.stdin.as_mut().unwrap();
        input.write_all(b"\n").unwrap();
        has(false);
        input.write_all(b"\n").unwrap();
        parent.wait().unwrap();
    }

    #[test]
    fn what_this_process_uses_is_counted() {
        let own = std::process::id();
        let before = Usage::of(own).unwrap();
        let mut work = vec![1u8; 32 * 1024 * 1024];
        for round in 0..8u8 {
            work.iter_mut().for_each(|byte| *byte = byte.wrapping_mul(3) ^ round);
        }
        assert!(std::hint::black_box(&work).len() > 1);
        let after = Usage::of(own).unwrap();
        let used = after.since(&before);
        assert!(!used.cpu.is_zero() && used.faults > 0, "{used:?}");
        assert!(after.peak >= after.resident && after.resident > 16 * 1024 * 1024, "{after:?}");
    }
}
