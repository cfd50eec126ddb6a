//! What is compared. Every scenario is in here at least once with something that a slower
//! agent makes larger, on the way from the API server to the kernel.

use super::super::limits::Kind;
use crate::figures::Metric;
use crate::scenarios::names::{
    CHURN, COLD_START, CONNECT, CONNECT_AFFINITY, CONNECT_SERVICE, DATAGRAM, DATAGRAM_PAST, DRAIN,
    NAMESPACE_DELETED, PLAN_FULL, PLAN_REPLACED, PLAN_RESTART, PLAN_SCALED, RECOVERED, RELIST,
    REPLACED, ROLLING_UPDATE, SCALED, WARM_RESTART,
};

/// Something that a scenario takes, over something else of the same run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guard {
    pub(super) scenario: &'static str,
    pub(super) part: Part,
    pub(super) below: Below,
    pub(super) kind: Kind,
}

/// What of a scenario.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Time,
    /// Of the time, over the median of what is below.
    P99,
    /// As the table has it: of one change, or of all that happens in the scenario.
    Cpu,
    /// Divided by the changes of a run, so that it does not depend on their number.
    CpuOfOne,
}

/// What it is divided by.
#[derive(Clone, Copy, Debug)]
pub(super) enum Below {
    /// The least that this scenario can cost.
    Floor(&'static str),
    /// Traffic on a node without rules.
    Direct,
    /// The agent itself, in this scenario.
    Own(&'static str),
}

use Below::{Direct, Floor, Own};
use Part::{Cpu, CpuOfOne, P99, Time};

const fn guard(scenario: &'static str, part: Part, below: Below, kind: Kind) -> Guard {
    Guard { scenario, part, below, kind }
}

/// Whatever writes many objects is over the floor of everything; single changes over the
/// kernel's part of one; what is made of many changes, over one of them.
pub(super) const GUARDED: [Guard; 29] = [
    guard(PLAN_FULL, Time, Floor(PLAN_FULL), Kind::Backend),
    guard(PLAN_RESTART, Time, Floor(PLAN_FULL), Kind::Process),
    guard(PLAN_REPLACED, Time, Floor(PLAN_REPLACED), Kind::Backend),
    guard(PLAN_SCALED, Time, Floor(PLAN_SCALED), Kind::Kernel),
    guard(COLD_START, Time, Floor(PLAN_FULL), Kind::Process),
    guard(COLD_START, Cpu, Floor(PLAN_FULL), Kind::Process),
    guard(WARM_RESTART, Time, Floor(PLAN_FULL), Kind::Process),
    guard(WARM_RESTART, Cpu, Floor(PLAN_FULL), Kind::Process),
    guard(REPLACED, Time, Floor(PLAN_REPLACED), Kind::Process),
    guard(REPLACED, Cpu, Floor(PLAN_REPLACED), Kind::Process),
    guard(SCALED, Time, Floor(PLAN_SCALED), Kind::Process),
    guard(SCALED, Cpu, Floor(PLAN_SCALED), Kind::Process),
    guard(ROLLING_UPDATE, Time, Own(REPLACED), Kind::Burst),
    guard(ROLLING_UPDATE, CpuOfOne, Floor(PLAN_REPLACED), Kind::Process),
    guard(DRAIN, Time, Floor(PLAN_SCALED), Kind::Process),
    guard(DRAIN, Cpu, Floor(PLAN_SCALED), Kind::Process),
    guard(NAMESPACE_DELETED, Time, Floor(PLAN_SCALED), Kind::Process),
    guard(CHURN, Time, Own(REPLACED), Kind::Burst),
    guard(CHURN, P99, Own(REPLACED), Kind::Burst),
    guard(CHURN, CpuOfOne, Floor(PLAN_REPLACED), Kind::Process),
    guard(RELIST, Time, Floor(PLAN_FULL), Kind::Process),
    guard(RELIST, Cpu, Floor(PLAN_FULL), Kind::Process),
    guard(RECOVERED, Time, Floor(PLAN_FULL), Kind::Process),
    guard(RECOVERED, Cpu, Floor(PLAN_FULL), Kind::Process),
    guard(CONNECT, Time, Direct, Kind::Traffic),
    guard(CONNECT_SERVICE, Time, Direct, Kind::Traffic),
    guard(CONNECT_AFFINITY, Time, Direct, Kind::Traffic),
    guard(DATAGRAM_PAST, Time, Direct, Kind::Traffic),
    guard(DATAGRAM, Time, Direct, Kind::Traffic),
];

/// Scenarios that should cost the same however many services there are.
pub(super) const FLAT: [&str; 4] = [REPLACED, PLAN_REPLACED, CONNECT_SERVICE, DATAGRAM];

/// What is sent, and how often memory is asked for. Bytes and transactions of changes that
/// come close after each other, as the slices of both families do, are not here: how much of
/// them the agent takes together is a matter of time.
pub(super) const COUNTED: [(&str, Metric); 24] = [
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
    (COLD_START, Metric::Transactions),
    (COLD_START, Metric::Bytes),
    (WARM_RESTART, Metric::Transactions),
    (WARM_RESTART, Metric::Operations),
    (REPLACED, Metric::Operations),
    (SCALED, Metric::Operations),
    (DRAIN, Metric::Operations),
    (NAMESPACE_DELETED, Metric::Operations),
    (ROLLING_UPDATE, Metric::Operations),
    (CHURN, Metric::Operations),
    (RELIST, Metric::Operations),
    (RELIST, Metric::Bytes),
    (RECOVERED, Metric::Operations),
];

/// After what the most memory is asked for.
pub(super) const PEAKS: [&str; 3] = [COLD_START, WARM_RESTART, RELIST];

/// What kube-proxy is compared in.
pub(super) const SIDE_BY_SIDE: [&str; 9] = [
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
