//! Changing the backend while it serves.
//!
//! The new backend is given all plans, as after a failure; if it refuses, the old one goes
//! on, and is converged in case something was left half done.

use std::time::Duration;

use portolan_core::Draining;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{info, warn};

use super::{Call, CallKind, ConvergeReason, Reconciler, State};
use crate::backend_thread::Work;
use crate::config::BackendKind;

/// A change of the backend that somebody asked for.
pub(crate) struct SwitchRequest {
    /// Where new connections are to go.
    pub(crate) to: BackendKind,
    /// Who asks, for the log.
    pub(crate) by: String,
    /// Is told when it is done, or why it is not.
    pub(crate) reply: oneshot::Sender<Result<Switched, SwitchError>>,
}

/// A change of the backend that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Switched {
    /// Where new connections went before.
    pub(crate) from: BackendKind,
    /// Connections that stay there.
    pub(crate) draining: Option<Draining>,
}

/// Why the backend is not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SwitchError {
    /// There is nothing yet that could go on if the new backend refuses, and who asks should
    /// not wait for what may never come.
    #[error("the agent has not synchronised yet, and cannot change its backend before: {waits}")]
    NotSynced { waits: String },
    /// One at a time.
    #[error("another change of the backend is under way")]
    UnderWay,
    /// The new backend cannot be made.
    #[error("the backend stays {from}: {reason}")]
    Refused { from: &'static str, reason: String },
}

/// At most one change of the backend at a time.
#[derive(Default)]
pub(super) enum Switching {
    #[default]
    No,
    /// For the backend to be free.
    Waiting(SwitchRequest),
    /// The call is on its way; before, it was this one.
    UnderWay(SwitchRequest, BackendKind),
}

impl Reconciler {
    /// Changes the backend as soon as it is free; answers at once if the first sync has not
    /// begun.
    pub(crate) fn request_switch(&mut self, request: SwitchRequest, now: Instant) {
        let from = self.config.backend;
        if let Some(waits) = self.first_sync_waits(now) {
            let _ = request.reply.send(Err(SwitchError::NotSynced { waits }));
            return;
        }
        let answer = match &self.switching {
            Switching::No if request.to == from => Ok(Switched { from, draining: None }),
            Switching::No => {
                self.switching = Switching::Waiting(request);
                if let State::Paused(pause) = &mut self.state {
                    pause.news(now);
                }
                return;
            }
            _ => Err(SwitchError::UnderWay),
        };
        let _ = request.reply.send(answer);
    }

    /// The call that changes the backend, if that was asked for. The old one has to have
    /// converged, so that there is something to go on with if the new one refuses; unless it
    /// cannot, which may be why another is wanted.
    pub(super) fn switch_work(&mut self, now: Instant) -> Option<Work> {
        if !matches!(self.converge, None | Some(ConvergeReason::Failure)) {
            return None;
        }
        let request = match std::mem::take(&mut self.switching) {
            Switching::Waiting(request) => request,
            other => {
                self.switching = other;
                return None;
            }
        };
        let to = request.to;
        let from = std::mem::replace(&mut self.config.backend, to);
        info!(from = from.name(), to = to.name(), by = request.by, "the backend changes");
        self.converge = None;
        self.switching = Switching::UnderWay(request, from);
        // Another backend may have to know the node's addresses one by one.
        self.surroundings.may_have_changed();
        self.refresh_environment();
        self.surroundings.take_changed();
        let changes = self.index.take_changes();
        self.measure.taken(&changes, self.index.take_triggers());
        self.announce(&changes);
        let plans: Vec<_> = self.index.plans().cloned().collect();
        let since = self.waiting_since.take().unwrap_or(now);
        let (services, planning) = (plans.len(), Duration::ZERO);
        self.state = State::Busy(Call { kind: CallKind::Switch, services, since, planning });
        let environment = self.surroundings.environment();
        Some(Work::Switch { to, plans, environment })
    }

    /// How the change of the backend went, if this was one.
    pub(super) fn switched(&mut self, draining: Option<Draining>, failure: Option<&str>) {
        let (request, from) = match std::mem::take(&mut self.switching) {
            Switching::UnderWay(request, from) => (request, from),
            other => {
                self.switching = other;
                return;
            }
        };
        let to = request.to.name();
        let answer = match failure {
            None => {
                info!(backend = to, "new connections go through another backend now");
                Ok(Switched { from, draining })
            }
            Some(reason) => {
                self.config.backend = from;
                self.surroundings.may_have_changed();
                let from = from.name();
                warn!("the backend stays {from}: the change to {to} failed: {reason}");
                Err(SwitchError::Refused { from, reason: reason.to_owned() })
            }
        };
        let _ = request.reply.send(answer);
    }
}
