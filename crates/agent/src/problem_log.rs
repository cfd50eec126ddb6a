//! What is wrong with the input now, told once when it appears and once when it is gone.

use std::collections::{BTreeMap, BTreeSet};

use portolan_core::Problem;
use portolan_watch::{Cause, Notice};
use tracing::{info, warn};

/// What is wrong with the input now.
#[derive(Debug, Default)]
pub(crate) struct ProblemLog {
    of_source: BTreeMap<String, Vec<Notice>>,
    counts: SourceCounts,
    of_backend: Vec<Notice>,
    of_index: BTreeSet<Problem>,
}

/// How much the source has to say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SourceCounts {
    /// About objects and their fields.
    pub(crate) objects: usize,
    /// About anything else.
    pub(crate) others: usize,
}

impl SourceCounts {
    fn of(notices: &[Notice]) -> SourceCounts {
        let is_object = |notice: &&Notice| matches!(notice.cause, Cause::Object(_));
        let objects = notices.iter().filter(is_object).count();
        SourceCounts { objects, others: notices.len() - objects }
    }
}

impl ProblemLog {
    /// What the source says of one origin replaces what it said before.
    pub(crate) fn source_says(&mut self, origin: String, notices: Vec<Notice>) {
        let before = match notices.is_empty() {
            true => self.of_source.remove(&origin),
            false => self.of_source.insert(origin, notices.clone()),
        }
        .unwrap_or_default();
        let (gone, come) = (SourceCounts::of(&before), SourceCounts::of(&notices));
        self.counts.objects = self.counts.objects + come.objects - gone.objects;
        self.counts.others = self.counts.others + come.others - gone.others;
        tell_difference(&before, &notices);
    }

    /// What the backend cannot do as it is asked for replaces what it said before.
    pub(crate) fn backend_says(&mut self, notices: Vec<Notice>) {
        let before = std::mem::replace(&mut self.of_backend, notices);
        tell_difference(&before, &self.of_backend);
    }

    /// What the index cannot serve as the objects are now.
    pub(crate) fn index_says(&mut self, problems: Vec<Problem>) {
        let now: BTreeSet<Problem> = problems.into_iter().collect();
        for problem in now.difference(&self.of_index) {
            warn!("{problem}");
        }
        for problem in self.of_index.difference(&now) {
            info!("no longer: {problem}");
        }
        self.of_index = now;
    }

    /// How much the source has to say now.
    pub(crate) fn of_source(&self) -> SourceCounts {
        self.counts
    }

    /// How much the backend has to say now.
    pub(crate) fn of_backend(&self) -> usize {
        self.of_backend.len()
    }

    /// Whether the index had anything to say last time.
    pub(crate) fn index_said_something(&self) -> bool {
        !self.of_index.is_empty()
    }

    /// All of it: what the source and the backend say, then `of_index`, which is newer than
    /// what was told last.
    pub(crate) fn all(&self, of_index: Vec<Problem>) -> Vec<Notice> {
        let told = self.of_source.values().flatten().chain(&self.of_backend).cloned();
        told.chain(of_index.into_iter().map(Notice::from)).collect()
    }
}

fn tell_difference(before: &[Notice], now: &[Notice]) {
    for notice in now.iter().filter(|notice| !before.contains(notice)) {
        warn!("{notice}");
    }
    for notice in before.iter().filter(|notice| !now.contains(notice)) {
        info!("no longer: {notice}");
    }
}
