//! The control socket: how `portolan dump` and its siblings ask a running agent.
//!
//! One request, one answer, one line of JSON each, on a unix socket that only the
//! agent's own user can open:
//!
//! ```text
//! → {"version":1,"request":"dump"}
//! ← {"version":1,"answer":{"dump":{"status":{…},"problems":[…],"services":[…]}}}
//! ```

mod client;
mod loopback;
mod protocol;
mod server;
mod socket;
#[cfg(test)]
mod tests;

pub use client::{ControlError, query};
pub use loopback::{LoopbackPort, LoopbackReport, PortState};
pub use protocol::{Answer, Dump, Reasons, Request, Status};
pub(crate) use server::{Query, serve};
