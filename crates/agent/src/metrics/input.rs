//! What is wrong with the input now.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::labels::{By, gauge_value, zeros};

/// How many problems there are; `portolan dump` lists them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProblemCounts {
    /// Frontends that belong to another Service.
    pub(crate) conflicts: usize,
    /// Fields and objects that cannot be used.
    pub(crate) objects: usize,
    /// Files, watches, and what is not known of this node.
    pub(crate) source: usize,
    /// What the backend cannot do as it is asked for.
    pub(crate) backend: usize,
}

/// Gauges of the problems.
#[derive(Clone, Debug)]
pub(crate) struct InputMetrics {
    problems: By<1, Gauge>,
    /// Its series: events set them, and need not look for them.
    conflicts: Gauge,
    objects: Gauge,
    source: Gauge,
    backend: Gauge,
}

impl Default for InputMetrics {
    fn default() -> InputMetrics {
        let [conflict, object, source, backend] =
            ["conflict", "object", "source", "backend"].map(|reason| [("reason", reason)]);
        let problems: By<1, Gauge> = zeros([conflict, object, source, backend]);
        InputMetrics {
            conflicts: problems.get_or_create_owned(&conflict),
            objects: problems.get_or_create_owned(&object),
            source: problems.get_or_create_owned(&source),
            backend: problems.get_or_create_owned(&backend),
            problems,
        }
    }
}

impl InputMetrics {
    /// These are all there are.
    pub(crate) fn problems(&self, counts: ProblemCounts) {
        self.conflicts.set(gauge_value(counts.conflicts));
        self.objects.set(gauge_value(counts.objects));
        self.source.set(gauge_value(counts.source));
        self.backend.set(gauge_value(counts.backend));
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "portolan_problems",
            "What cannot be served as written, as `portolan dump` lists it: frontends that \
             another Service has (conflict), fields and objects that cannot be used (object), \
             files, watches and facts of this node (source), and what the backend cannot do \
             as it is asked for (backend)",
            self.problems.clone(),
        );
    }
}
