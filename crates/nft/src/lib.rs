//! The nftables backend: endpoints are data, not rules.
//!
//! ```text
//!  ServicePlan ─ slots ─▶ Inventory of elements ─┐
//!  Environment ─ structure ─▶ chains ────────────┼─ diff ─▶ Delta ─▶ one transaction
//!  kernel ─ observe ─▶ ObservedTable ────────────┘
//! ```
//!
//! One table per family holds a constant number of chains, a few more for each different
//! number of endpoints, and a few sized maps. In a large cluster the largest of these is divided
//! into several, each with chains of its own for the numbers of endpoints in it. A service is a
//! handful of elements: a pod replaced by another is one element changed, whatever the size of
//! the cluster.
//!
//! Nothing in this crate knows Kubernetes, and nothing runs the `nft` program.
#![forbid(unsafe_code)]

mod adapt;
mod affinity;
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
mod inventory;
mod json;
mod key;
#[cfg(test)]
#[path = "../tests/common/life.rs"]
mod life;
mod lower;
mod observe;
mod observed_elements;
mod occupied;
mod pace;
mod partition;
#[cfg(test)]
mod property_tests;
mod remembered;
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
pub use pace::Pace;
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
    /// The range that NodePorts are taken from, both ends included, host byte order
    /// (`--service-node-port-range` of kube-apiserver). Masqueraded connections keep out of it.
    pub node_port_range: (u16, u16),
    /// What becomes of connections to endpoints.
    pub ipvs: Ipvs,
    /// The bit of the packet mark and of the connection mark, 0 to 31, of what IPVS has.
    /// Others must leave it alone. Not the same as [`NftOptions::masquerade_bit`].
    pub ipvs_bit: u8,
    /// How many endpoints one map is made for. A new table that is to have more gets several maps,
    /// 16 at the most, for the cost of a listing grows with the square of a map's size. In a
    /// table that is there, the first convergence of a process makes more maps only if those
    /// that it finds would have more than four times as many each.
    pub endpoints_per_map: usize,
    /// Bits of the connection mark that an earlier process gave to what IPVS has; none is
    /// usual. Packets of such connections are handed to IPVS too.
    pub former_ipvs_marks: u32,
}

/// How connections reach the endpoints that they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ipvs {
    /// Our maps balance and translate them.
    #[default]
    Unused,
    /// The same for new ones; those that IPVS has stay with it.
    Draining,
    /// They are handed to IPVS, which must have a virtual server for each address: the
    /// caller makes those, and a routing rule that delivers marked packets locally.
    Serving,
}

impl Default for NftOptions {
    fn default() -> NftOptions {
        NftOptions {
            table: "portolan".to_owned(),
            masquerade_bit: 14,
            masquerade_all: false,
            node_port_range: (30_000, 32_767),
            ipvs: Ipvs::Unused,
            ipvs_bit: 13,
            endpoints_per_map: 16_384,
            former_ipvs_marks: 0,
        }
    }
}

impl NftOptions {
    /// The larger part of the unprivileged ports that lies on one side of the NodePort range;
    /// `None` if that is too small to be worth the trouble.
    fn masquerade_ports(&self) -> Option<(u16, u16)> {
        const FIRST: u16 = 1024;
        const FEWEST: u16 = 4096;
        let (low, high) = self.node_port_range;
        let below = low.checked_sub(1).map(|last| (FIRST, last));
        let above = high.checked_add(1).map(|first| (first.max(FIRST), u16::MAX));
        let size = |(first, last): (u16, u16)| last.saturating_sub(first);
        let largest = [below, above].into_iter().flatten().max_by_key(|range| size(*range))?;
        (size(largest) >= FEWEST).then_some(largest)
    }
}
