//! The numbers and the faults of a run.

use std::collections::BTreeMap;
use std::fmt;

use portolan_core::Family;

use crate::model::Verdict;
use crate::play::Observed;

/// How many disagreements are worth reading at once.
const SHOWN: usize = 12;
/// After so many of them nothing more is tried: each can take seconds.
const ENOUGH: usize = 30;

/// What was sent, and what went wrong.
#[derive(Default)]
pub(crate) struct Tally {
    /// Different packets, IPv4 and IPv6, by rule and what was predicted of them.
    predicted: BTreeMap<(&'static str, &'static str), [usize; 2]>,
    /// How often something was sent.
    sent: usize,
    /// How often the backend was started again.
    pub(crate) restarts: usize,
    /// Every disagreement, as text.
    pub(crate) faults: Vec<String>,
}

impl Tally {
    /// Counts a packet.
    pub(crate) fn count(&mut self, observed: &Observed) {
        let kind = match &observed.prediction.verdict {
            Verdict::Balanced { sticky: true, .. } => "kept",
            Verdict::Balanced { .. } => "balanced",
            Verdict::Untouched => "untouched",
            Verdict::Left => "left",
            Verdict::Refused => "refused",
            Verdict::Silent => "silent",
        };
        let counts = self.predicted.entry((observed.prediction.because, kind)).or_default();
        let [v4, v6] = counts;
        match observed.packet.family() {
            Family::V4 => *v4 += 1,
            Family::V6 => *v6 += 1,
        }
        self.sent += observed.outcomes.len();
    }

    /// Packets in both families.
    pub(crate) fn packets(&self) -> usize {
        self.predicted.values().flatten().sum()
    }

    /// The rules that led to something in both families.
    pub(crate) fn rules(&self) -> usize {
        self.predicted.values().filter(|counts| counts.iter().all(|count| *count > 0)).count()
    }

    /// Whether the run may end.
    pub(crate) fn has_enough(&self) -> bool {
        self.faults.len() >= ENOUGH
    }

    /// The first ones, to be read.
    pub(crate) fn disagreements(&self) -> String {
        let count = self.faults.len();
        let shown: Vec<&str> = self.faults.iter().take(SHOWN).map(String::as_str).collect();
        format!("{count} disagreements, of which these are the first:\n\n{}", shown.join("\n"))
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "   IPv4    IPv6")?;
        for ((because, kind), [v4, v6]) in &self.predicted {
            writeln!(f, "{v4:7} {v6:7}  {kind:9}  {because}")?;
        }
        write!(f, "{} packets, sent {} times, ", self.packets(), self.sent)?;
        write!(f, "{} restarts, {} disagreements", self.restarts, self.faults.len())
    }
}
