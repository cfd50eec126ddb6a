//! What clients are answered.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests stop at the first surprise"
)]

mod access;
mod client;
mod connection;
mod endings;
mod faults;
mod lists;
mod other_requests;
mod servers;
mod socket;
mod watches;
