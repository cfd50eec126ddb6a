//! Policy routing over rtnetlink: rules that send marked packets to a routing table, and
//! routes in that table by which the packets of whole networks are delivered to this node.
//!
//! ```text
//! [Operation] ──▶ Routing::execute ──▶ kernel      in order, each by itself
//! PolicyRule, LocalRoute ◀── Routing::rules, Routing::routes
//! ```
//!
//! There are no transactions and no word of what others change. Many requests travel in
//! one send; the kernel works on them one by one and answers only those that it refuses.
//!
//! Rules and routes carry a protocol number ([`PROTOCOL`]) that says whose they are. What
//! has another one is neither listed nor deleted.

mod connection;
mod execute;
#[cfg(test)]
mod foreign_tests;
mod local_route;
mod operation;
mod policy_rule;
mod query;
#[cfg(test)]
mod tests;
mod uapi;

pub use connection::Routing;
pub use local_route::LocalRoute;
pub use operation::Operation;
pub use policy_rule::PolicyRule;
pub use uapi::PROTOCOL;
