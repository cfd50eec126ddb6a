//! The source over real connections, over HTTPS as in a cluster, to a server that goes wrong in
//! every way there is.
//!
//! Server and client share one runtime and its paused clock: hours pass in no time, and
//! only while nothing moves on any connection.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests stop at the first surprise"
)]

mod cluster;
mod faults;
mod observer;
mod state;
