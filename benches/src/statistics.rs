//! What remains of many measurements.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Values of one figure.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Samples {
    /// By the run that they were measured in.
    runs: BTreeMap<u32, Vec<f64>>,
    /// What every one of them should be.
    wanted: Option<f64>,
}

/// The part of what is wanted that is as good as all of it.
const ENOUGH: f64 = 0.98;

/// Values in a few words.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The value in the middle; the mean of both where there are two.
    pub(crate) median: f64,
    /// The value that 99 of a hundred keep within.
    pub(crate) p99: f64,
    pub(crate) minimum: f64,
    pub(crate) maximum: f64,
    /// How far the medians of the runs are from each other, as a part of the median:
    /// 0.1 is plus or minus ten percent. Zero for a single run.
    pub(crate) spread: f64,
    /// How many there are.
    pub(crate) samples: usize,
    pub(crate) runs: usize,
    /// What was asked for, if a run reached less than 98 % of it. Everything else of the same
    /// scenario is then of what was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) missed: Option<f64>,
}

impl Samples {
    pub(crate) fn record(&mut self, run: u32, value: f64) {
        self.runs.entry(run).or_default().push(value);
    }

    /// Says what every value should be.
    pub(crate) fn want(&mut self, value: f64) {
        self.wanted = Some(value);
    }

    /// Nothing, if nothing was recorded.
    pub(crate) fn summary(&self) -> Option<Summary> {
        let all = sorted(self.runs.values().flatten().copied());
        let (minimum, maximum) = (*all.first()?, *all.last()?);
        let middle = median(&all);
        let medians = self.runs.values().map(|run| median(&sorted(run.iter().copied())));
        let medians = sorted(medians);
        let range = medians.last()? - medians.first()?;
        let spread = if middle > 0.0 { range / 2.0 / middle } else { 0.0 };
        let (samples, runs) = (all.len(), self.runs.len());
        let p99 = quantile(&all, 0.99);
        let missed = self.wanted.filter(|wanted| minimum < wanted * ENOUGH);
        Some(Summary { median: middle, p99, minimum, maximum, spread, samples, runs, missed })
    }
}

/// The value in the middle of sorted ones, the mean of both where there are two. Zero if
/// there are none.
fn median(sorted: &[f64]) -> f64 {
    let upper = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    match sorted.len().is_multiple_of(2) {
        true => f64::midpoint(quantile(sorted, 0.5), upper),
        false => upper,
    }
}

/// The smallest of sorted values that so large a part of them keeps within (nearest rank).
/// Zero if there are none.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let rank = (part * sorted.len() as f64).ceil().max(1.0);
    // Between one and the length, unless there are none.
    #[expect(clippy::cast_possible_truncation, reason = "a rank is a small whole number")]
    let place = (rank as usize).saturating_sub(1);
    sorted.get(place.min(sorted.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

impl Samples {
    /// Of all values. What only some of them are more than others shows here, and not in
    /// the median. Zero if there are none.
    pub(crate) fn mean(&self) -> f64 {
        let all: Vec<f64> = self.runs.values().flatten().copied().collect();
        all.iter().sum::<f64>() / all.len().max(1) as f64
    }

    /// Of each run, in their order.
    pub(crate) fn medians(&self) -> Vec<f64> {
        self.runs.values().map(|run| middle(run.clone())).collect()
    }
}

/// The median; zero if there are none.
pub(crate) fn middle(values: Vec<f64>) -> f64 {
    median(&sorted(values.into_iter()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(runs: &[&[f64]]) -> Summary {
        let mut samples = Samples::default();
        for (run, values) in (0..).zip(runs) {
            values.iter().for_each(|value| samples.record(run, *value));
        }
        samples.summary().unwrap()
    }

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        for (values, part, expected) in [
            (&hundred[..], 0.5, 50.0),
            (&hundred, 0.99, 99.0),
            (&hundred, 1.0, 100.0),
            (&[7.0], 0.99, 7.0),
            (&[1.0, 2.0], 0.5, 1.0),
            (&[1.0, 2.0, 3.0], 0.5, 2.0),
            (&[1.0, 2.0, 3.0], 0.99, 3.0),
            (&[], 0.5, 0.0),
        ] {
            assert_eq!(quantile(values, part), expected, "{part} of {}", values.len());
        }
    }

    #[test]
    fn the_median_of_an_even_number_of_values_is_the_mean_of_the_middle_two() {
        for (values, expected) in [
            (&[][..], 0.0),
            (&[7.0], 7.0),
            (&[1.0, 2.0], 1.5),
            (&[1.0, 2.0, 9.0], 2.0),
            (&[1.0, 2.0, 4.0, 9.0], 3.0),
        ] {
            assert_eq!(median(values), expected, "{values:?}");
        }
        assert_eq!(of(&[&[1.0, 4.0], &[2.0, 9.0]]).median, 3.0);
    }

    #[test]
    fn a_summary_is_over_the_samples_of_all_runs_in_any_order() {
        let summary = of(&[&[3.0, 1.0], &[2.0, 9.0, 4.0]]);
        assert_eq!((summary.median, summary.minimum, summary.maximum), (3.0, 1.0, 9.0));
        assert_eq!((summary.samples, summary.runs), (5, 2));
    }

    #[test]
    fn the_spread_is_between_runs_and_not_within_one() {
        assert_eq!(of(&[&[1.0, 2.0, 100.0]]).spread, 0.0);
        assert_eq!(of(&[&[10.0], &[12.0], &[11.0]]).spread, 1.0 / 11.0);
    }

    #[test]
    fn what_a_few_changes_cost_more_shows_in_the_mean() {
        let mut samples = Samples::default();
        for (run, value) in [(0, 2.0), (0, 2.0), (0, 8.0), (1, 4.0)] {
            samples.record(run, value);
        }
        assert_eq!((samples.mean(), samples.medians()), (4.0, vec![2.0, 4.0]));
        assert_eq!((Samples::default().mean(), Samples::default().medians()), (0.0, vec![]));
    }

    #[test]
    fn what_was_asked_for_is_missed_if_one_run_stays_well_below_it() {
        for (values, wanted, missed) in [
            ([1_970.0, 2_010.0], Some(2_000.0), None),
            ([1_950.0, 2_010.0], Some(2_000.0), Some(2_000.0)),
            ([1.0, 2.0], None, None),
        ] {
            let mut samples = Samples::default();
            wanted.into_iter().for_each(|wanted| samples.want(wanted));
            (0..).zip(values).for_each(|(run, value)| samples.record(run, value));
            assert_eq!(samples.summary().unwrap().missed, missed, "{values:?}");
        }
    }

    #[test]
    fn nothing_measured_is_no_figure() {
        assert_eq!(Samples::default().summary(), None);
    }

    #[test]
    fn nothing_sent_has_no_spread() {
        assert_eq!(of(&[&[0.0], &[0.0]]).spread, 0.0);
    }
}
