//! The running agent with either backend, and from one to the other while it serves.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod cluster;
mod drain;
mod file;
mod foreign;
mod kernel;
mod killed;
mod node;
mod restarted;
mod switched;
