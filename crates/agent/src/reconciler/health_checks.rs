//! When load balancers are told what.

use portolan_core::Change;

use super::Reconciler;
use crate::service_health::HealthChecks;

impl Reconciler {
    /// Hands what load balancers are to be told to `health_checks`; before, nobody hears
    /// of it.
    pub(crate) fn with_health_checks(self, health_checks: HealthChecks) -> Reconciler {
        Reconciler { health_checks, ..self }
    }

    /// Before a call.
    pub(super) fn announce_health_checks(&mut self, changes: &[Change]) {
        if self.converge.is_some() {
            self.health_checks.announce_all(self.index.plans().map(AsRef::as_ref));
        } else {
            self.health_checks.announce_changes(changes);
        }
    }

    /// After a call that succeeded. What failed calls were to do is done by then: only a
    /// converge can follow them.
    pub(super) fn confirm_health_checks(&mut self) {
        if let Some(environment) = self.surroundings.known() {
            self.health_checks.confirm(environment);
        }
    }
}
