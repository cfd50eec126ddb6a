//! nf_tables: objects, expressions, transactions and listings.
//!
//! Numbers and attribute names are those of `include/uapi/linux/netfilter/nf_tables.h`,
//! Linux 6.1. What is written has the form that nft 1.0.6 gives it, so that nft can list it
//! and load the listing again.

mod batch;
mod chain;
mod connection;
mod data;
mod deletion;
mod describe;
mod element_count;
mod element_view;
mod elements;
mod expression;
mod family;
mod field;
#[cfg(test)]
mod golden_tests;
mod hint;
mod listing;
mod numbered;
mod path;
mod rule;
mod set;
mod set_userdata;
mod table;
mod uapi;
mod userdata;

pub use batch::Batch;
pub use chain::{BaseChain, Chain, ChainKind, Hook, Policy};
pub use connection::{Connection, Receipt};
pub use data::{Data, OwnedVerdict, Verdict};
pub use element_view::ElementView;
pub use elements::{ElementOperation, ElementWriter};
pub use expression::{
    Comparison, CtKey, Expression, FibFlags, FibResult, MetaKey, NatFlags, NatKind, PayloadBase,
    PortRange, Register, RejectWith,
};
pub use family::Family;
pub use field::Field;
pub use rule::{ListedRule, Rule};
pub use set::{Set, SetData};
pub use table::Table;
pub use userdata::clip_comment;
