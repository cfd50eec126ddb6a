//! Servers that tell who asked whom, and probes that ask them.

mod attempt;
mod connection;
mod datagram;
mod listener;
mod load;
mod probe;
mod sctp;
mod server;

pub use connection::Connection;
pub(crate) use listener::Listener;
pub use load::{LongLived, NewConnections, Use};
pub use probe::{Outcome, Probe, Protocol, Refusal};
pub(crate) use server::Servers;
