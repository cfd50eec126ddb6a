//! The API server as clusters have it: over HTTPS, with an authority of its own, for those
//! who say who they are.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stop at the first surprise"
)]

mod credentials;
mod source;
mod trust;
