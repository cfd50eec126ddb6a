//! When NodePorts are opened and closed on `::1`.

use portolan_core::Change;

use super::Reconciler;
use crate::loopback_relay::LoopbackRelay;

impl Reconciler {
    /// Hands NodePorts to `loopback`; before, and with `None`, they are not on `::1`.
    pub(crate) fn with_loopback(self, loopback: Option<LoopbackRelay>) -> Reconciler {
        Reconciler { loopback, ..self }
    }

    /// Before a call.
    pub(super) fn announce_loopback(&mut self, changes: &[Change]) {
        let Some(loopback) = &mut self.loopback else { return };
        if self.converge.is_some() {
            loopback.announce_all(self.index.plans().map(AsRef::as_ref));
        } else {
            loopback.announce_changes(changes);
        }
    }

    /// After a call that succeeded. What failed calls were to do is done by then: only a
    /// converge can follow them.
    pub(super) fn confirm_loopback(&mut self) {
        if let Some(loopback) = &mut self.loopback {
            loopback.confirm();
        }
    }
}
