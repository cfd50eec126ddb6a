//! One call of the backend.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

/// A call on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    pub(crate) kind: CallKind,
    /// Services in it.
    pub(crate) services: usize,
    /// When the oldest event in it was reported.
    pub(crate) since: Instant,
    /// Time spent compiling and collecting plans.
    pub(crate) planning: Duration,
}

impl Call {
    /// Whether it undoes what others did.
    pub(crate) fn repairs(&self) -> bool {
        self.kind == CallKind::Converge(ConvergeReason::Disturbance)
    }
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallKind {
    Apply,
    Adapt,
    Converge(ConvergeReason),
    /// To another backend.
    Switch,
    /// Nothing to the kernel; it only looks.
    Check,
}

/// Why everything is compared with the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ConvergeReason {
    Start,
    Failure,
    Disturbance,
}

impl fmt::Display for CallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CallKind::Apply => "changes",
            CallKind::Adapt => "environment changed",
            CallKind::Converge(ConvergeReason::Start) => "start",
            CallKind::Converge(ConvergeReason::Failure) => "after a failure",
            CallKind::Converge(ConvergeReason::Disturbance) => "disturbed by others",
            CallKind::Switch => "another backend",
            CallKind::Check => "looking for changes by others",
        })
    }
}
