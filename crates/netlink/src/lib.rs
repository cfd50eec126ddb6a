//! Netlink as Portolan needs it: one socket, messages written and read byte by byte, and
//! on top of them nf_tables, connection tracking, IPVS and policy routing. Beside that,
//! [`AddressMonitor`]: word of changed addresses.
//!
//! ```text
//! nftables::Batch ──▶ nftables::Connection ──▶ kernel      one transaction, all or nothing
//! nftables::{Table, Chain, Rule, Set, ElementView} ◀── dumps
//! conntrack::Conntrack ◀─▶ kernel                          flows, listed and deleted
//! ipvs::Ipvs ◀─▶ kernel                                    virtual servers, one request each
//! route::Routing ◀─▶ kernel                                rules and local routes, likewise
//! ```
//!
//! The crate knows nothing of Kubernetes or services. What it decodes may come from any
//! program that edits the kernel's tables, so every decoder takes any bytes whatever: it
//! answers with an error or an `Unknown` form, and never panics.

pub mod conntrack;
pub mod ipvs;
pub mod nftables;
pub mod route;

mod address_monitor;
mod error;
mod pipeline;
mod socket;
mod wire;

pub use address_monitor::AddressMonitor;
pub use error::{NetlinkError, Refusal};
