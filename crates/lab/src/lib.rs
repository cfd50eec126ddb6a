//! A node, its pods, other nodes' pods and outside clients, in Linux network namespaces
//! with real traffic. It needs no root, runs no program and leaves nothing behind.
//!
//! * [`namespaced`] runs a test in new user and network namespaces;
//!   [`enter_or_explain`] does the same for a whole program.
//! * [`Namespace`] is one network namespace; it ends when it is dropped.
//! * [`TopologySpec`] says which hosts there are, [`Topology`] has them.
//! * [`Probe`] asks who answers at an address, and [`Outcome`] tells. A [`Connection`]
//!   stays open; [`LongLived`] and [`NewConnections`] are many of them.
//! * [`kernel_is_at_least`] says what kernel all this happens on.
//! * [`scenario`] holds packet scenarios, [`sequence`] those in which objects change, and both
//!   play them.
//!
//! ```no_run
//! use std::net::{Ipv4Addr, SocketAddr};
//! use portolan_lab::{LabError, Outcome, Probe, Protocol, TopologySpec, enter_or_explain};
//!
//! fn main() -> Result<(), LabError> {
//!     enter_or_explain()?;
//!     let (pod, client) = (Ipv4Addr::new(10, 0, 0, 2), Ipv4Addr::new(203, 0, 113, 2));
//!     let spec = TopologySpec::default().pod(pod).client(client);
//!     let lab = spec.server(pod, Protocol::Tcp, 80).build()?;
//!
//!     let probe = Probe::new(client, Protocol::Tcp, SocketAddr::new(pod.into(), 80));
//!     assert!(matches!(lab.probe(&probe), Outcome::Answered { .. }));
//!     lab.node().run(|| { /* program the node, and ask again */ });
//!     Ok(())
//! }
//! ```

mod error;
mod isolate;
mod kernel;
mod namespace;
mod patience;
mod process;
mod route;
pub mod scenario;
pub mod sequence;
mod sysctl;
mod topology;
mod traffic;

pub use error::LabError;
pub use isolate::{enter_or_explain, namespaced, namespaced_as_superuser};
pub use kernel::kernel_is_at_least;
pub use namespace::Namespace;
pub use process::Process;
pub use route::{Bridge, Gateway, LinkState, RouteSocket, VethPair};
pub use topology::{Server, Topology, TopologySpec};
pub use traffic::{Connection, LongLived, NewConnections, Outcome, Probe, Protocol, Refusal, Use};
