//! Follows a cluster through everything that an API server does to its clients.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stop at the first surprise"
)]

mod fake_server;
mod initial_state;
mod objects;
mod outage;
mod pace;
mod source;
mod trouble;
