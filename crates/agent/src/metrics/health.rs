//! What health checks were told.

use hyper::StatusCode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

use super::labels::{By, Label, zeros};

const OK: [Label; 1] = [("code", "200")];
const UNAVAILABLE: [Label; 1] = [("code", "503")];

/// Counts the answers of the health server. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct HealthAnswers {
    healthz: By<1, Counter>,
    livez: By<1, Counter>,
}

impl Default for HealthAnswers {
    fn default() -> HealthAnswers {
        let codes = || zeros([OK, UNAVAILABLE]);
        HealthAnswers { healthz: codes(), livez: codes() }
    }
}

impl HealthAnswers {
    /// An answer was given. Other paths are not counted, as in kube-proxy.
    pub(crate) fn count(&self, path: &str, status: StatusCode) {
        let code = if status == StatusCode::OK { OK } else { UNAVAILABLE };
        match path {
            "/healthz" => self.healthz.get_or_create(&code).inc(),
            "/livez" => self.livez.get_or_create(&code).inc(),
            _ => return,
        };
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "kubeproxy_proxy_healthz",
            "Cumulative proxy healthz HTTP status",
            self.healthz.clone(),
        );
        registry.register(
            "kubeproxy_proxy_livez",
            "Cumulative proxy livez HTTP status",
            self.livez.clone(),
        );
    }
}
