//! How the IPVS backend is set up.

use std::time::Duration;

use portolan_netlink::ipvs::Timeouts;

/// How the IPVS backend is set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IpvsOptions {
    /// The scheduler of Services that do not choose one, e.g. `rr`.
    pub scheduler: String,
    /// How long silent connections are kept.
    pub timeouts: Timeouts,
    /// The bit of the packet mark and the connection mark of what IPVS has, 0 to 31: that of
    /// [`NftOptions::ipvs_bit`](portolan_nft::NftOptions::ipvs_bit).
    pub mark_bit: u8,
    /// The priority of the routing rule. It must come before whatever else routes by marks.
    pub rule_priority: u32,
    /// The number of the routing table, which nobody else may use.
    pub route_table: u32,
    /// The name of the nftables tables that remember which virtual servers are ours.
    pub registry: String,
    /// For how long connections may stay with an endpoint or a backend that is no longer
    /// used.
    pub drain_for: Duration,
}

impl Default for IpvsOptions {
    fn default() -> IpvsOptions {
        IpvsOptions {
            scheduler: "rr".to_owned(),
            timeouts: Timeouts::default(),
            mark_bit: 13,
            rule_priority: 50,
            route_table: 0x7074,
            registry: "portolan-ipvs".to_owned(),
            drain_for: Duration::from_secs(15 * 60),
        }
    }
}
