//! The nftables backend: endpoints are data, not rules.
//!
//! ```text
//!  ServicePlan ─ slots ─▶ elements ┐
//!  Environment ─ structure ─▶ chains ├─▶ DesiredTable ─┐
//!                                    │                 ├─ diff ─▶ Delta ─▶ one transaction
//!  kernel ─ observe ─▶ ObservedTable ┘─────────────────┘
//! ```
//!
//! One table per family holds a constant number of chains, one more for each different
//! number of endpoints, and a few sized maps. A service is a handful of elements: a pod
//! replaced by another is one element changed, whatever the size of the cluster.
//!
//! Nothing in this crate knows Kubernetes, and nothing runs the `nft` program.
#![forbid(unsafe_code)]

mod adapt;
mod apply;
mod backend;
mod chain_name;
mod cleanup;
mod container;
mod delta;
mod diff;
mod disturbance;
mod element;
mod error;
#[cfg(test)]
mod fake_kernel;
mod inspect;
mod json;
mod key;
#[cfg(test)]
#[path = "../tests/common/life.rs"]
mod life;
mod limits;
mod lower;
mod observe;
#[cfg(test)]
mod property_tests;
mod render;
mod slots;
mod state;
mod statement;
mod structure;
mod table;
mod text;

pub use backend::{NftBackend, first_transaction};
pub use cleanup::cleanup;
pub use error::NftError;
pub use inspect::{KernelFrontend, KernelTable, inspect};
pub use render::{Ruleset, render};

/// How the nftables backend is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NftOptions {
    /// The name of our table in both families.
    pub table: String,
    /// The bit of the packet mark, 0 to 31, that tells postrouting to masquerade. Others
    /// must leave it alone.
    pub masquerade_bit: u8,
    /// Masquerade every ClusterIP connection, whoever makes it.
    pub masquerade_all: bool,
}

impl Default for NftOptions {
    fn default() -> NftOptions {
        NftOptions { table: "portolan".to_owned(), masquerade_bit: 14, masquerade_all: false }
    }
}
