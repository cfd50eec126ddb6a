//! The agent: from what a source reports to what a backend does.
//!
//! ```text
//!  source ─▶ run (one thread: loop, health and metrics servers, control socket)
//!                │ changes, one call at a time     ▲ outcome
//!                ▼                                 │
//!            backend thread (netlink calls block) ─┘
//!                │ what a successful call made stale
//!                ▼
//!            conntrack thread (flows that end), loopback relay thread (NodePorts on ::1)
//! ```
//!
//! [`run`] is the loop. [`Config`] is what the operator decides. The binary chooses
//! source and backend and gives them in; this crate knows no Kubernetes objects, and of
//! netlink only that addresses changed, and connection tracking.
#![forbid(unsafe_code)]

mod address_events;
mod announced;
mod backend_thread;
mod change_log;
pub mod config;
mod config_follower;
mod conntrack;
pub mod control;
mod environment;
mod error;
mod health;
mod http;
mod listen;
mod loopback_relay;
mod metrics;
mod node_ports;
mod own_task;
mod problem_log;
mod reconciler;
mod reminder;
mod retry;
mod route_localnet;
mod run;
mod service_health;
mod shutdown;
mod sole_agent;
mod sync_log;
#[cfg(test)]
mod testing;

pub use backend_thread::OpenBackend;
pub use config::{Config, Loaded};
pub use environment::{environment, missing};
pub use error::{AgentError, chain};
pub use route_localnet::route_localnet_warning;
pub use run::run;
pub use shutdown::signals;
pub use sole_agent::{Alone, Claim, Holder, Sole, alone, claim};
