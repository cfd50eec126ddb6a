//! The IPVS backend, and the change between it and the nftables backend.
//!
//! What is served and how is decided by the table of the nftables backend, whichever way
//! connections take behind it: who is let in, masqueraded, rejected, dropped. Only the last
//! step differs, so both backends mean the same by construction. IPVS has a virtual server
//! for each frontend that has endpoints, and no address is bound to the node for it.
//!
//! | module | |
//! |---|---|
//! | `wanted` | plan → virtual servers |
//! | `schedulers` | which of them the kernel has, and what balances where it lacks one |
//! | `servers` | what is wanted and what there is → what to do, in two halves; draining |
//! | `registry` | which virtual servers are ours, and rules that keep from them what is not handed over |
//! | `paths` | the routing rule and routes that make packets for services reach IPVS |
//! | `strays` | what becomes of TCP packets that begin nothing |
//! | `manager` | the above against the kernel |
//! | `kernel` | what of IPVS is used, so that tests need none |
//! | `dataplane` | table and manager as one backend, in one of two modes |
//! | `cleanup` | what removes all of it |

mod cleanup;
mod dataplane;
mod error;
mod kernel;
mod manager;
mod mode;
mod options;
mod paths;
mod registry;
mod schedulers;
mod servers;
mod strays;
mod sysctl;
mod wanted;

pub use cleanup::cleanup;
pub use dataplane::Dataplane;
pub use error::IpvsError;
pub use mode::Mode;
pub use options::IpvsOptions;
pub use portolan_netlink::ipvs::Timeouts;
pub use sysctl::SysctlError;
