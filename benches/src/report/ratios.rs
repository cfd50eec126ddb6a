//! What can be compared between machines: one figure over another of the same run, and
//! counts. Never a time.

use serde::{Deserialize, Serialize};

use super::{Figure, Summary, find};
use crate::arms::{DIRECT, FLOOR, KUBE_PROXY, PORTOLAN};
use crate::figures::{Metric, Size};
use crate::scenarios::names::{
    CHURN, COLD_START, CONNECT, CONNECT_AFFINITY, CONNECT_SERVICE, DATAGRAM, DRAIN,
    NAMESPACE_DELETED, PLAN_FULL, PLAN_REPLACED, PLAN_RESTART, PLAN_SCALED, RELIST, REPLACED,
    ROLLING_UPDATE, SCALED, WARM_RESTART,
};

/// A value that is worse the larger it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ratio {
    /// Unique in a report; names the size.
    pub(crate) name: String,
    pub(crate) value: f64,
    /// How far it differs between machines and runs.
    pub(crate) kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// One time over another.
    Times,
    /// Memory, which the allocator and the number of processors have a say in.
    Memory,
    /// What does not depend on the machine.
    Count,
    /// Over a kube-proxy, which is not there in every run.
    KubeProxy,
}

/// Scenarios over their floor.
const OVER_FLOOR: [(&str, &str, &str); 6] = [
    (PLAN_FULL, FLOOR, PLAN_FULL),
    (PLAN_REPLACED, FLOOR, PLAN_REPLACED),
    (PLAN_SCALED, FLOOR, PLAN_SCALED),
    (CONNECT_SERVICE, DIRECT, CONNECT),
    (CONNECT_AFFINITY, DIRECT, CONNECT),
    (DATAGRAM, DIRECT, DATAGRAM),
];

/// Scenarios that should cost the same however many services there are.
const FLAT: [&str; 4] = [REPLACED, PLAN_REPLACED, CONNECT_SERVICE, DATAGRAM];

/// What is sent.
const COUNTED: [(&str, Metric); 18] = [
    (PLAN_FULL, Metric::Operations),
    (PLAN_FULL, Metric::Bytes),
    (PLAN_FULL, Metric::Allocations),
    (PLAN_RESTART, Metric::Operations),
    (PLAN_RESTART, Metric::Allocations),
    (PLAN_REPLACED, Metric::Operations),
    (PLAN_REPLACED, Metric::Bytes),
    (PLAN_REPLACED, Metric::Allocations),
    (PLAN_SCALED, Metric::Operations),
    (PLAN_SCALED, Metric::Bytes),
    (PLAN_SCALED, Metric::Allocations),
    (WARM_RESTART, Metric::Transactions),
    (WARM_RESTART, Metric::Operations),
    (RELIST, Metric::Operations),
    (RELIST, Metric::Bytes),
    (COLD_START, Metric::Bytes),
    (DRAIN, Metric::Operations),
    (NAMESPACE_DELETED, Metric::Operations),
];

/// What kube-proxy is compared in.
const SIDE_BY_SIDE: [&str; 9] = [
    COLD_START,
    WARM_RESTART,
    REPLACED,
    SCALED,
    ROLLING_UPDATE,
    DRAIN,
    NAMESPACE_DELETED,
    CHURN,
    CONNECT_SERVICE,
];

pub(super) fn ratios(figures: &[Figure]) -> Vec<Ratio> {
    let mut sizes: Vec<Size> = figures.iter().map(|figure| figure.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut all: Vec<Ratio> = sizes.iter().flat_map(|size| of_size(figures, *size)).collect();
    if let [smallest, .., largest] = sizes.as_slice() {
        all.extend(growth(figures, *smallest, *largest));
    }
    all
}

/// The median; of traffic the least. Its client and server share one processor, and other
/// programs on it change the median by more than all rules.
fn comparable(scenario: &str, summary: &Summary) -> f64 {
    match scenario {
        CONNECT | CONNECT_SERVICE | CONNECT_AFFINITY | DATAGRAM => summary.minimum,
        _ => summary.median,
    }
}

fn of_size(figures: &[Figure], size: Size) -> Vec<Ratio> {
    let value = |scenario, arm, metric| {
        find(figures, size, scenario, arm, metric).map(|summary| comparable(scenario, summary))
    };
    let at = format!("at {} services", size.services);
    let ratio = |name: String, value: Option<f64>, kind| {
        value.map(|value| Ratio { name: format!("{name}, {at}"), value, kind })
    };
    let over =
        |above: Option<f64>, below: Option<f64>| Some(above? / below.filter(|below| *below > 0.0)?);
    let floors = OVER_FLOOR.into_iter().filter_map(|(scenario, arm, floor)| {
        let paired = value(scenario, PORTOLAN, Metric::OverFloor);
        let times = [value(scenario, PORTOLAN, Metric::Time), value(floor, arm, Metric::Time)];
        let over = paired.or_else(|| over(times[0], times[1]));
        ratio(format!("{scenario} / {arm}"), over, Kind::Times)
    });
    let counts = COUNTED.into_iter().filter_map(|(scenario, metric)| {
        let name = format!("{scenario}: {}", metric.label());
        ratio(name, value(scenario, PORTOLAN, metric), Kind::Count)
    });
    let memory = [COLD_START, RELIST].into_iter().filter_map(|scenario| {
        let peak = value(scenario, PORTOLAN, Metric::PeakResident);
        ratio(format!("{scenario}: {}", Metric::PeakResident.label()), peak, Kind::Memory)
    });
    let beside = SIDE_BY_SIDE.into_iter().filter_map(|scenario| {
        let other = value(scenario, KUBE_PROXY, Metric::Time);
        let over = over(value(scenario, PORTOLAN, Metric::Time), other);
        ratio(format!("{scenario} / {KUBE_PROXY}"), over, Kind::KubeProxy)
    });
    floors.chain(counts).chain(memory).chain(beside).collect()
}

fn growth(figures: &[Figure], smallest: Size, largest: Size) -> Vec<Ratio> {
    let time = |size, scenario| {
        find(figures, size, scenario, PORTOLAN, Metric::Time)
            .map(|summary| comparable(scenario, summary))
    };
    let (small, large) = (smallest.services, largest.services);
    FLAT.into_iter()
        .filter_map(|scenario| {
            let value =
                time(largest, scenario)? / time(smallest, scenario).filter(|it| *it > 0.0)?;
            let name = format!("{scenario}: {large} services / {small} services");
            Some(Ratio { name, value, kind: Kind::Times })
        })
        .collect()
}
