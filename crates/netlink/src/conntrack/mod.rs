//! Connection tracking (ctnetlink): the flows that the kernel knows, and the end of single
//! ones.
//!
//! A [`Flow`] is what connection tracking calls an entry: the addresses of a first packet,
//! and those that an answer to it comes with after translation.

mod connection;
mod flow;
mod request;
mod uapi;

pub use connection::Conntrack;
pub use flow::{Flow, Tuple};
