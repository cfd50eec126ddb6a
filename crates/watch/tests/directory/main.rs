//! Follows a directory while its files change in every way that files change.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests stop at the first surprise"
)]

mod changes;
mod follower;
mod replacement;
mod trouble;
