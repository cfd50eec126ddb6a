//! How core behaves, through its public interface.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

mod conflicts;
mod endpoints;
mod explain;
mod flows;
mod frontends;
mod health_checks;
mod node;
mod policies;
mod properties;
mod selection;
mod support;
mod tcp_flows;
mod updates;
