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
    /// How many times the floor's the time of one call was, both right after each other.
    OverFloor,
}

impl Metric {
    pub(crate) const fn unit(self) -> Unit {
        match self {
            Metric::Time | Metric::Ready | Metric::Cpu => Unit::Seconds,
            Metric::Resident | Metric::PeakResident | Metric::Bytes => Unit::Bytes,
            Metric::Rate => Unit::PerSecond,
            Metric::OverFloor => Unit::Times,
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
            Metric::OverFloor => "over the floor",
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
    Times,
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
    fn update(&mut self, key: Key, update: impl FnOnce(&mut Samples)) {
        let place = self.0.iter().position(|(known, _)| *known == key);
        match place.and_then(|place| self.0.get_mut(place)) {
            Some((_, samples)) => update(samples),
            None => {
                let mut samples = Samples::default();
                update(&mut samples);
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
        let run = self.run;
        self.figures.update(self.key(scenario, metric), |samples| samples.record(run, value));
    }

    fn key(&self, scenario: &'static str, metric: Metric) -> Key {
        Key { size: self.size, scenario, arm: self.arm, metric }
    }

    /// A rate per second, and which one was asked for.
    pub(crate) fn rate_of(&mut self, scenario: &'static str, reached: f64, asked: f64) {
        self.record(scenario, Metric::Rate, reached);
        self.figures.update(self.key(scenario, Metric::Rate), |samples| samples.want(asked));
    }

    pub(crate) fn time(&mut self, scenario: &'static str, time: Duration) {
        self.record(scenario, Metric::Time, time.as_secs_f64());
    }

    pub(crate) fn count(&mut self, scenario: &'static str, metric: Metric, count: u64) {
        self.record(scenario, metric, count as f64);
    }

    /// What a process used, and the memory that it has now.
    pub(crate) fn usage(&mut self, scenario: &'static str, usage: &Usage) {
        self.usage_of(scenario, usage, 1);
    }

    /// What it used for each of so many changes, and the memory that it has now.
    pub(crate) fn usage_of(&mut self, scenario: &'static str, usage: &Usage, changes: u32) {
        self.record(scenario, Metric::Cpu, (usage.cpu / changes.max(1)).as_secs_f64());
        self.count(scenario, Metric::Resident, usage.resident);
        self.count(scenario, Metric::PeakResident, usage.peak);
        self.share(scenario, Metric::ContextSwitches, usage.switches, changes);
        self.share(scenario, Metric::PageFaults, usage.faults, changes);
    }

    /// The part that one of so many changes has in a count.
    pub(crate) fn share(
        &mut self,
        scenario: &'static str,
        metric: Metric,
        count: u64,
        changes: u32,
    ) {
        self.record(scenario, metric, count as f64 / f64::from(changes.max(1)));
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

    #[test]
    fn costs_are_those_of_one_change_and_memory_is_as_it_is() {
        let mut figures = Figures::default();
        let size = Size { services: 7, endpoints: 1 };
        let mut recorder = Recorder { figures: &mut figures, size, arm: "portolan", run: 0 };
        let cpu = Duration::from_secs(6);
        let usage = Usage { cpu, resident: 100, peak: 200, switches: 5, faults: 8 };
        recorder.usage_of("endpoint replaced", &usage, 4);
        recorder.share("endpoint replaced", Metric::Operations, 6, 4);
        let found: Vec<_> =
            figures.summaries().map(|(key, it, _)| (key.metric, it.median)).collect();
        let expected = [
            (Metric::Cpu, 1.5),
            (Metric::Resident, 100.0),
            (Metric::PeakResident, 200.0),
            (Metric::ContextSwitches, 1.25),
            (Metric::PageFaults, 2.0),
            (Metric::Operations, 1.5),
        ];
        assert_eq!(found, expected);
    }
}
