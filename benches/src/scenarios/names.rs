//! The names of scenarios, as tables, JSON and baselines have them.

pub(crate) const COLD_START: &str = "cold start";
pub(crate) const WARM_RESTART: &str = "warm restart";
pub(crate) const REPLACED: &str = "endpoint replaced";
pub(crate) const SCALED: &str = "scaled by one";
pub(crate) const ROLLING_UPDATE: &str = "rolling update";
pub(crate) const DRAIN: &str = "node drained";
pub(crate) const NAMESPACE_DELETED: &str = "namespace deleted";
pub(crate) const CHURN: &str = "sustained churn";
pub(crate) const RELIST: &str = "list again after 410";
pub(crate) const RECOVERED: &str = "changed after 410";
pub(crate) const CONNECT: &str = "connect past the rules";
pub(crate) const CONNECT_SERVICE: &str = "connect to a ClusterIP";
pub(crate) const CONNECT_AFFINITY: &str = "connect with affinity";
pub(crate) const DATAGRAM_PAST: &str = "ask over UDP past the rules";
pub(crate) const DATAGRAM: &str = "ask over UDP";
pub(crate) const PLAN_FULL: &str = "plan to kernel: everything";
pub(crate) const PLAN_RESTART: &str = "plan to kernel: nothing new";
pub(crate) const PLAN_REPLACED: &str = "plan to kernel: replaced";
pub(crate) const PLAN_SCALED: &str = "plan to kernel: scaled";

/// What every run has to give of each arm.
pub(crate) const OF_EVERY_RUN: [&str; 15] = [
    COLD_START,
    WARM_RESTART,
    REPLACED,
    SCALED,
    ROLLING_UPDATE,
    DRAIN,
    NAMESPACE_DELETED,
    CHURN,
    RELIST,
    RECOVERED,
    CONNECT,
    CONNECT_SERVICE,
    CONNECT_AFFINITY,
    DATAGRAM_PAST,
    DATAGRAM,
];

/// And of the backend by itself.
pub(crate) const OF_PLANS: [&str; 4] = [PLAN_FULL, PLAN_RESTART, PLAN_REPLACED, PLAN_SCALED];
