//! Ratios of figures that were measured.

use super::super::table::floor_of;
use super::super::{Figure, find};
use super::watched::{Below, Guard, Part};
use crate::arms::{DIRECT, FLOOR, PORTOLAN};
use crate::figures::{Metric, Size};
use crate::statistics::middle;

/// One figure over another. Each run by itself, whose figures were measured one after the
/// other, and the median of these: a machine that is slower for a while is so for both.
pub(super) fn over(above: &Figure, below: &Figure) -> Option<f64> {
    let runs = above.medians.len();
    if runs == 0 || runs != below.medians.len() {
        return divide(above.summary.median, below.summary.median);
    }
    let pairs = above.medians.iter().zip(&below.medians);
    let ratios: Option<Vec<f64>> = pairs.map(|(above, below)| divide(*above, *below)).collect();
    ratios.map(middle)
}

/// What a scenario costs with more services over what it costs with fewer.
pub(super) fn growth(figures: &[Figure], small: Size, large: Size, scenario: &str) -> Option<f64> {
    let time = |size| find(figures, size, scenario, PORTOLAN, Metric::Time);
    over(time(large)?, time(small)?)
}

impl Guard {
    /// As tables and baselines have it, but for the size.
    pub(super) fn name(&self) -> String {
        let part = match self.part {
            Part::Time => String::new(),
            Part::P99 => ": p99".to_owned(),
            Part::Cpu => format!(": {}", Metric::Cpu.label()),
            Part::CpuOfOne => format!(": {} of one", Metric::Cpu.label()),
        };
        let below = match self.below {
            Below::Floor(scenario) if scenario == self.scenario => FLOOR.to_owned(),
            Below::Floor(scenario) => format!("{FLOOR} of \"{scenario}\""),
            Below::Direct => DIRECT.to_owned(),
            Below::Own(scenario) => scenario.to_owned(),
        };
        format!("{}{part} / {below}", self.scenario)
    }

    fn has_own_floor(&self) -> bool {
        matches!(self.below, Below::Floor(scenario) if scenario == self.scenario)
    }

    /// Nothing, if one of both was not measured.
    pub(super) fn value(&self, figures: &[Figure], size: Size) -> Option<f64> {
        let own = |metric| find(figures, size, self.scenario, PORTOLAN, metric);
        let below = match self.below {
            Below::Floor(scenario) => find(figures, size, scenario, FLOOR, Metric::Time),
            Below::Direct => find(figures, size, floor_of(self.scenario), DIRECT, Metric::Time),
            Below::Own(scenario) => find(figures, size, scenario, PORTOLAN, Metric::Time),
        }?;
        match self.part {
            Part::Time => {
                // Of pairs, where floor and agent took turns.
                let paired = self.has_own_floor().then(|| own(Metric::OverFloor)).flatten();
                paired.map(|it| it.summary.median).or_else(|| over(own(Metric::Time)?, below))
            }
            Part::P99 => divide(own(Metric::Time)?.summary.p99, below.summary.median),
            Part::Cpu => over(own(Metric::Cpu)?, below),
            Part::CpuOfOne => {
                let changes = &own(Metric::Time)?.summary;
                let of_a_run = divide(changes.samples as f64, changes.runs as f64)?;
                divide(over(own(Metric::Cpu)?, below)?, of_a_run)
            }
        }
    }
}

fn divide(above: f64, below: f64) -> Option<f64> {
    (below > 0.0).then_some(above / below)
}
