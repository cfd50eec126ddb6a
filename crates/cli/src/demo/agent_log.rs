//! What the agent wrote into its log.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

/// The file that the agent logs into.
#[derive(Debug)]
pub(super) struct AgentLog {
    path: PathBuf,
}

/// A place in the log, to read what comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark(usize);

/// The sum of the `synced` lines of one change.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Synced {
    /// Lines: complete syncs.
    pub(super) syncs: usize,
    /// Objects and elements added or changed.
    pub(super) added: usize,
    pub(super) deleted: usize,
    pub(super) transactions: usize,
    /// Time that the backend took.
    pub(super) backend: Duration,
}

impl AgentLog {
    pub(super) fn new(path: PathBuf) -> AgentLog {
        AgentLog { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Everything that was written so far.
    pub(super) fn text(&self) -> anyhow::Result<String> {
        fs::read_to_string(&self.path)
            .with_context(|| format!("cannot read {}", self.path.display()))
    }

    /// The end of what was written so far.
    pub(super) fn mark(&self) -> Mark {
        Mark(self.text().map_or(0, |text| text.len()))
    }

    /// What was synced since then.
    pub(super) fn synced_since(&self, mark: Mark) -> anyhow::Result<Synced> {
        let text = self.text()?;
        let since = text.get(mark.0..).unwrap_or_default();
        Ok(sum(since.lines().filter_map(read_line)))
    }
}

impl Synced {
    /// Objects and elements that were sent to the kernel or deleted from it.
    pub(super) fn operations(&self) -> usize {
        self.added + self.deleted
    }

    pub(super) fn describe(&self) -> String {
        let operations = match self.operations() {
            1 => "1 operation".to_owned(),
            count => format!("{count} operations"),
        };
        format!("agent: {operations} in {} µs", self.backend.as_micros())
    }
}

fn sum(lines: impl Iterator<Item = Synced>) -> Synced {
    lines.fold(Synced::default(), |sum, line| Synced {
        syncs: sum.syncs + line.syncs,
        added: sum.added + line.added,
        deleted: sum.deleted + line.deleted,
        transactions: sum.transactions + line.transactions,
        backend: sum.backend + line.backend,
    })
}

/// A line such as `… INFO portolan_agent::sync_log: synced reason=start added=12 …`.
fn read_line(line: &str) -> Option<Synced> {
    let (_, fields) = line.split_once(": synced ")?;
    let field = |name: &str| {
        fields.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
    };
    let milliseconds: f64 = field("backend_ms")?.parse().ok()?;
    Some(Synced {
        syncs: 1,
        added: field("added")?.parse().ok()?,
        deleted: field("deleted")?.parse().ok()?,
        transactions: field("transactions")?.parse().ok()?,
        backend: Duration::try_from_secs_f64(milliseconds / 1000.0).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "2026-05-04T09:00:00.000000Z  INFO portolan_agent::sync_log: synced \
        reason=after a failure services=1 added=4 deleted=2 transactions=1 bytes=100 plan_ms=0.01 \
        backend_ms=0.412 kernel_ms=0.3 since_event_ms=1.0\n";

    #[test]
    fn the_lines_after_a_mark_are_summed_up() {
        let directory = tempfile::tempdir().unwrap();
        let log = AgentLog::new(directory.path().join("agent.log"));
        assert_eq!(log.mark(), Mark(0));
        fs::write(log.path(), LINE).unwrap();
        let mark = log.mark();
        assert_eq!(log.synced_since(mark).unwrap(), Synced::default());
        fs::write(log.path(), [LINE, LINE, "another: line\n", LINE].concat()).unwrap();
        let synced = log.synced_since(mark).unwrap();
        assert_eq!((synced.syncs, synced.added, synced.deleted), (2, 8, 4));
        assert_eq!((synced.transactions, synced.operations()), (2, 12));
        assert_eq!(synced.describe(), "agent: 12 operations in 824 µs");
    }
}
