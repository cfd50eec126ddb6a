//! What is read when somebody asks: this process, and the fill of connection tracking.

use std::fs;
use std::time::Duration;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeVal;

/// What could be read; `None` for what could not.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Readings {
    /// Time on a processor, in user and kernel mode.
    pub(crate) cpu: Option<Duration>,
    /// `VmRSS` of proc(5), in bytes.
    pub(crate) resident_bytes: Option<u64>,
    /// `VmSize` of proc(5), in bytes.
    pub(crate) virtual_bytes: Option<u64>,
    pub(crate) open_files: Option<u64>,
    pub(crate) most_open_files: Option<u64>,
    /// Flows in this network namespace.
    pub(crate) conntrack_entries: Option<u64>,
    /// At which more of them are refused, and their packets dropped.
    pub(crate) conntrack_limit: Option<u64>,
}

impl Readings {
    /// Name, help and value of each number that may fall again.
    pub(super) fn gauges(&self) -> [(&'static str, &'static str, Option<u64>); 6] {
        [
            (
                "process_resident_memory_bytes",
                "Resident memory size in bytes.",
                self.resident_bytes,
            ),
            ("process_virtual_memory_bytes", "Virtual memory size in bytes.", self.virtual_bytes),
            ("process_open_fds", "Number of open file descriptors.", self.open_files),
            ("process_max_fds", "Maximum number of open file descriptors.", self.most_open_files),
            (
                "portolan_conntrack_entries",
                "Flows that the kernel tracks in this network namespace.",
                self.conntrack_entries,
            ),
            (
                "portolan_conntrack_entries_limit",
                "How many flows the kernel tracks at most; packets of more are dropped.",
                self.conntrack_limit,
            ),
        ]
    }
}

/// Reads all of it, which blocks on nothing but memory.
pub(crate) fn read() -> Readings {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    Readings {
        cpu: cpu(),
        resident_bytes: kibibytes(&status, "VmRSS:"),
        virtual_bytes: kibibytes(&status, "VmSize:"),
        open_files: open_files(),
        most_open_files: getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(soft, _)| soft),
        conntrack_entries: number("/proc/sys/net/netfilter/nf_conntrack_count"),
        conntrack_limit: number("/proc/sys/net/netfilter/nf_conntrack_max"),
    }
}

fn cpu() -> Option<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    Some(duration(usage.user_time())? + duration(usage.system_time())?)
}

fn duration(time: TimeVal) -> Option<Duration> {
    let seconds = Duration::from_secs(time.tv_sec().try_into().ok()?);
    Some(seconds + Duration::from_micros(time.tv_usec().try_into().ok()?))
}

/// The value of a line of `/proc/self/status`, in bytes.
fn kibibytes(status: &str, name: &str) -> Option<u64> {
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

fn open_files() -> Option<u64> {
    let listed = fs::read_dir("/proc/self/fd").ok()?.count();
    // Without the one that lists them.
    u64::try_from(listed).ok()?.checked_sub(1)
}

fn number(path: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_read_and_makes_sense() {
        let readings = read();
        assert!(readings.cpu > Some(Duration::ZERO), "{readings:?}");
        assert!(readings.resident_bytes > Some(1 << 20), "{readings:?}");
        assert!(readings.virtual_bytes >= readings.resident_bytes, "{readings:?}");
        assert!(readings.open_files > Some(2), "{readings:?}");
        assert!(readings.most_open_files >= readings.open_files, "{readings:?}");
    }

    #[test]
    fn a_line_of_proc_is_read_or_missing() {
        let status = "VmPeak:\t   99 kB\nVmSize:\t  1234 kB\nVmRSS: lots\n";
        assert_eq!(kibibytes(status, "VmSize:"), Some(1234 * 1024));
        assert_eq!(kibibytes(status, "VmRSS:"), None);
        assert_eq!(kibibytes(status, "VmSwap:"), None);
    }
}
