//! IPVS over generic netlink: virtual servers and their destinations.
//!
//! ```text
//! [Operation] ──▶ Ipvs::execute ──▶ kernel      in order, each by itself
//! Server, DestinationState ◀── Ipvs::servers, Ipvs::destinations
//! ```
//!
//! There are no transactions and no word of what others change. Many requests travel in
//! one send; the kernel works on them one by one and answers only those that it refuses.

mod address;
mod connection;
mod destination;
mod execute;
mod operation;
mod query;
mod server;
#[cfg(test)]
mod tests;
mod timeouts;
mod uapi;

pub use crate::pipeline::Failure;
pub use connection::Ipvs;
pub use destination::{Destination, DestinationState};
pub use operation::Operation;
pub use query::Info;
pub use server::{Server, ServerKey};
pub use timeouts::Timeouts;
