//! What Prometheus is told.
//!
//! ```text
//!  loop ──────────────┐
//!  conntrack thread ──┤
//!  relay of ::1 ──────┤ count and measure (atomics) ─▶ Page ─▶ /metrics
//!  health server ─────┤                                 ▲
//!  watches ───────────┘     process, kernel ── read when asked
//! ```
//!
//! Names that begin with `kubeproxy_` mean what they mean in kube-proxy
//! (`pkg/proxy/metrics/metrics.go`), so that dashboards and alerts go on; what
//! kube-proxy does not have begins with `portolan_`. Both families are programmed by one
//! call, so what that call took counts for each of them. No label has a value from the
//! cluster: the page is as long for 50,000 services as for one.

mod affinity;
mod changes;
mod draining;
mod flows;
mod health;
mod input;
mod labels;
mod loopback;
mod page;
mod programmed;
mod readings;
mod server;
mod sync;
#[cfg(test)]
mod tests;

use prometheus_client::registry::Registry;

pub(crate) use self::affinity::AffinityMetrics;
pub(crate) use self::changes::ChangeMetrics;
pub(crate) use self::draining::DrainingMetrics;
pub(crate) use self::flows::FlowMetrics;
pub(crate) use self::health::HealthAnswers;
pub(crate) use self::input::{InputMetrics, ProblemCounts};
pub(crate) use self::page::{Page, Parts};
pub(crate) use self::programmed::{ProgrammedMetrics, Tally};
pub(crate) use self::readings::Readings;
pub(crate) use self::server::serve;
pub(crate) use self::sync::SyncMetrics;

/// What the loop counts. Clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct LoopMetrics {
    pub(crate) sync: SyncMetrics,
    pub(crate) changes: ChangeMetrics,
    pub(crate) programmed: ProgrammedMetrics,
    pub(crate) draining: DrainingMetrics,
    pub(crate) affinity: AffinityMetrics,
    pub(crate) input: InputMetrics,
}

impl LoopMetrics {
    fn register(&self, registry: &mut Registry) {
        self.sync.register(registry);
        self.changes.register(registry);
        self.programmed.register(registry);
        self.draining.register(registry);
        self.affinity.register(registry);
        self.input.register(registry);
    }
}
