//! A node, its pods, other nodes' pods and outside clients, in Linux network namespaces
//! with real traffic. It needs no root, runs no program and leaves nothing behind.
//!
//! * [`namespaced`] runs a test in new user and network namespaces;
//!   [`enter_or_explain`] does the same for a whole program.
//! * [`Namespace`] is one network namespace; it ends when it is dropped.
//! * [`TopologySpec`] says which hosts there are, [`Topology`] has them.
//! * [`Probe`] asks who answers at an address, and [`Outcome`] tells. A [`Connection`]
//!   stays open.

mod error;
mod isolate;
mod namespace;
mod process;
mod route;
mod sysctl;
mod topology;
mod traffic;

pub use error::LabError;
pub use isolate::{enter_or_explain, namespaced};
pub use namespace::Namespace;
pub use process::Process;
pub use route::{Bridge, Gateway, LinkState, RouteSocket, VethPair};
pub use topology::{Server, Topology, TopologySpec};
pub use traffic::{Connection, Outcome, Probe, Protocol, Refusal};
