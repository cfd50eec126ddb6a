//! What can be compared between machines: one figure over another of the same run, and
//! counts. Never a time.

mod measured;
mod watched;

use serde::Serialize;

use self::measured::{growth, over};
use self::watched::{COUNTED, FLAT, GUARDED, PEAKS, SIDE_BY_SIDE};
use super::limits::Kind;
use super::{Figure, find};
use crate::arms::{ASKED, KUBE_PROXY, PORTOLAN};
use crate::figures::{Metric, Size};
use crate::scenarios::names::CHURN;

/// A value that is worse the larger it is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Ratio {
    /// Unique in a report; names the size.
    pub(crate) name: String,
    pub(crate) value: f64,
    /// How far it differs between machines and runs.
    pub(crate) kind: Kind,
    /// The most that DESIGN's table allows, if it says something of this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<f64>,
}

pub(super) fn ratios(figures: &[Figure]) -> Vec<Ratio> {
    let mut sizes: Vec<Size> = figures.iter().map(|figure| figure.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut all: Vec<Ratio> = sizes.iter().flat_map(|size| of_size(figures, *size)).collect();
    if let [smallest, .., largest] = sizes.as_slice() {
        let grown = FLAT.into_iter().filter_map(|scenario| {
            let value = growth(figures, *smallest, *largest, scenario)?;
            let (small, large) = (smallest.services, largest.services);
            let name = format!("{scenario}: {large} services / {small} services");
            Some(Ratio { name, value, kind: Kind::Growth, target: Kind::Growth.target() })
        });
        all.extend(grown);
    }
    all
}

fn of_size(figures: &[Figure], size: Size) -> Vec<Ratio> {
    let ratio = |name: String, value: Option<f64>, kind: Kind| {
        let name = format!("{name}, at {} services", size.services);
        value.map(|value| Ratio { name, value, kind, target: kind.target_at(size) })
    };
    let guarded = GUARDED
        .into_iter()
        .filter_map(|guard| ratio(guard.name(), guard.value(figures, size), guard.kind));
    let counts = COUNTED.into_iter().filter_map(|(scenario, metric)| {
        let found = find(figures, size, scenario, PORTOLAN, metric)?;
        // The median would hide what only some changes send.
        ratio(format!("{scenario}: {}", metric.label()), Some(found.mean), Kind::Count)
    });
    let memory = PEAKS.into_iter().filter_map(|scenario| {
        let found = find(figures, size, scenario, PORTOLAN, Metric::PeakResident)?;
        let name = format!("{scenario}: {}", Metric::PeakResident.label());
        ratio(name, Some(found.summary.maximum), Kind::Memory)
    });
    let rate = |arm| find(figures, size, CHURN, arm, Metric::Rate);
    let rate = rate(ASKED).zip(rate(PORTOLAN)).and_then(|(asked, kept)| over(asked, kept));
    let rate = ratio(format!("{CHURN}: rate asked for / kept up"), rate, Kind::Rate);
    let beside = SIDE_BY_SIDE.into_iter().filter_map(|scenario| {
        let time = |arm| find(figures, size, scenario, arm, Metric::Time);
        let value = over(time(PORTOLAN)?, time(KUBE_PROXY)?);
        ratio(format!("{scenario} / {KUBE_PROXY}"), value, Kind::KubeProxy)
    });
    guarded.chain(counts).chain(memory).chain(rate).chain(beside).collect()
}
