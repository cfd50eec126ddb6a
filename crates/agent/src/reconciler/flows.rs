//! Which flows a call makes stale.

use portolan_core::Change;
use portolan_core::flows::FlowRules;

use super::Reconciler;
use crate::conntrack::FlowCleaner;

impl Reconciler {
    /// Hands flows that calls make stale to `flows`; before, they are left alone.
    pub(crate) fn with_flows(self, flows: FlowCleaner) -> Reconciler {
        Reconciler { flows, ..self }
    }

    /// Before a call: what of it concerns flows. A converge also mends what was missed.
    pub(super) fn announce_flows(&self, changes: &[Change]) {
        let mut rules = FlowRules::default();
        rules.note_changes(changes);
        if self.converge.is_some() {
            rules.note_all(self.index.plans());
        }
        self.flows.announce(rules);
    }

    /// Before a call for another environment: other addresses may take NodePorts.
    pub(super) fn announce_all_flows(&self) {
        let mut rules = FlowRules::default();
        rules.note_all(self.index.plans());
        self.flows.announce(rules);
    }

    /// After a call that succeeded. What failed calls left to do is done by then: only a
    /// converge can follow them.
    pub(super) fn confirm_flows(&self) {
        if let Some(environment) = self.surroundings.known() {
            self.flows.confirm(environment);
        }
    }
}
