//! The signals that end the agent.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::error::AgentError;

/// Completes at the first SIGTERM or SIGINT after this call. Must be called inside a
/// runtime, before anything that can take long.
pub fn signals() -> Result<impl Future<Output = ()> + Send, AgentError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(AgentError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(AgentError::Signals)?;
    Ok(async move {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        info!("{name}: shutting down; the rules stay in the kernel");
    })
}
