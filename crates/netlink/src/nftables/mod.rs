//! nf_tables: objects, expressions, transactions and listings.
//!
//! Numbers and attribute names are those of `include/uapi/linux/netfilter/nf_tables.h`,
//! Linux 6.1. What is written has the form that nft 1.0.6 gives it, so that nft can list it
//! and load the listing again.

mod batch;
mod connection;
mod data;
mod elements;
mod expression;
mod object;
mod set;

pub use batch::Batch;
pub use connection::{Connection, Receipt};
pub use data::{Data, OwnedVerdict, Verdict};
pub use elements::{ElementOperation, ElementView, ElementWriter};
pub use expression::{
    Comparison, CtKey, Expression, FibFlags, FibResult, MetaKey, NatFlags, NatKind, PayloadBase,
    PortRange, Register, RejectWith,
};
pub use object::{BaseChain, Chain, ChainKind, Family, Hook, ListedRule, Policy, Rule, Table};
pub use set::{Field, Set, SetData};
