//! What is measured, under its name.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::process::Usage;
use crate::statistics::{Samples, Summary};

/// What a number of a scenario says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Metric {
    /// From the beginning to the commit, or for traffic to the answer.
    Time,
    /// From the start of the process to the first 200 of /healthz.
    Ready,
    /// Of all threads, user and system.
    Cpu,
    /// Resident memory afterwards.
    Resident,
    /// The most resident memory since the process started.
    PeakResident,
    ContextSwitches,
    PageFaults,
    Transactions,
    /// Elements, rules and objects made and deleted.
    Operations,
    /// Sent to the kernel.
    Bytes,
    /// Times that memory was asked for.
    Allocations,
    /// Per second.
    Rate,
}

impl Metric {
    pub(crate) const fn unit(self) -> Unit {
        match self {
            Metric::Time | Metric::Ready | Metric::Cpu => Unit::Seconds,
            Metric::Resident | Metric::PeakResident | Metric::Bytes => Unit::Bytes,
            Metric::Rate => Unit::PerSecond,
            _ => Unit::Count,
        }
    }

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Metric::Time => "",
            Metric::Ready => "/healthz says 200",
            Metric::Cpu => "processor time",
            Metric::Resident => "resident memory",
            Metric::PeakResident => "peak of resident memory",
            Metric::ContextSwitches => "context switches",
            Metric::PageFaults => "page faults",
            Metric::Transactions => "transactions",
            Metric::Operations => "operations",
            Metric::Bytes => "bytes sent",
            Metric::Allocations => "allocations",
            Metric::Rate => "rate",
        }
    }
}

/// What a value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unit {
    Seconds,
    Bytes,
    Count,
    PerSecond,
}

/// The size of a cluster, as figures name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Size {
    pub(crate) services: u32,
    pub(crate) endpoints: u32,
}

/// Which figure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) size: Size,
    pub(crate) scenario: &'static str,
    pub(crate) arm: &'static str,
    pub(crate) metric: Metric,
}

/// Everything measured, in the order in which it was first measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures(Vec<(Key, Samples)>);

/// Where one scenario of one arm in one run puts its figures.
#[derive(Debug)]
pub(crate) struct Recorder<'a> {
    pub(crate) figures: &'a mut Figures,
    pub(crate) size: Size,
    pub(crate) arm: &'static str,
    pub(crate) run: u32,
}

impl Figures {
    pub(crate) fn record(&mut self, key: Key, run: u32, value: f64) {
        let place = self.0.iter().position(|(known, _)| *known == key);
        match place.and_then(|place| self.0.get_mut(place)) {
            Some((_, samples)) => samples.record(run, value),
            None => {
                let mut samples = Samples::default();
                samples.record(run, value);
                self.0.push((key, samples));
            }
        }
    }

    /// Each figure in a few words, and what its samples were.
    pub(crate) fn summaries(&self) -> impl Iterator<Item = (Key, Summary, &Samples)> {
        self.0.iter().filter_map(|(key, samples)| Some((*key, samples.summary()?, samples)))
    }
}

impl Recorder<'_> {
    pub(crate) fn record(&mut self, scenario: &'static str, metric: Metric, value: f64) {
        let key = Key { size: self.size, scenario, arm: self.arm, metric };
        self.figures.record(key, self.run, value);
    }

    pub(crate) fn time(&mut self, scenario: &'static str, time: Duration) {
        self.record(scenario, Metric::Time, time.as_secs_f64());
    }

    pub(crate) fn count(&mut self, scenario: &'static str, metric: Metric, count: u64) {
        self.record(scenario, metric, count as f64);
    }

    /// What a process used, and the memory that it has now.
    pub(crate) fn usage(&mut self, scenario: &'static str, usage: &Usage) {
        self.record(scenario, Metric::Cpu, usage.cpu.as_secs_f64());
        self.count(scenario, Metric::Resident, usage.resident);
        self.count(scenario, Metric::PeakResident, usage.peak);
        self.count(scenario, Metric::ContextSwitches, usage.switches);
        self.count(scenario, Metric::PageFaults, usage.faults);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_figure_come_together_and_figures_keep_their_order() {
        let mut figures = Figures::default();
        let size = Size { services: 7, endpoints: 1 };
        for (run, arm) in [(0, "portolan"), (0, "floor"), (1, "portolan"), (1, "floor")] {
            let mut recorder = Recorder { figures: &mut figures, size, arm, run };
            recorder.time("cold start", Duration::from_secs(u64::from(run) + 1));
        }
        let arms: Vec<_> = figures.summaries().map(|(key, ..)| key.arm).collect();
        assert_eq!(arms, ["portolan", "floor"]);
        let mut summaries = figures.summaries();
        assert!(summaries.all(|(_, summary, _)| (summary.samples, summary.runs) == (2, 2)));
    }
}
