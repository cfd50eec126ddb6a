//! Connections that an earlier process gave to IPVS with another `--ipvs-mark-bit`.
//!
//! The policy rule of that bit is still there: it says which bit that was. The table looks for
//! both bits until every such connection has ours too.

use std::collections::BTreeSet;

use portolan_core::Protocol;
use portolan_netlink::conntrack::{Conntrack, Flow};
use portolan_netlink::ipvs::ServerKey;
use portolan_netlink::nftables::Family;

use super::Manager;
use crate::error::IpvsError;

impl Manager {
    /// The bits of the connection mark that such connections have; 0 if there are none.
    pub(crate) fn former_marks(&self) -> u32 {
        self.paths.former_marks()
    }

    /// Gives them our mark besides. None that begins now has only theirs: the table gives ours.
    pub(crate) fn adopt_connections(&mut self) -> Result<(), IpvsError> {
        let mut conntrack = Conntrack::open()?;
        for flow in self.former_connections(&mut conntrack)? {
            conntrack.mark(&flow, self.paths.mark())?;
        }
        Ok(())
    }

    fn former_connections(&self, conntrack: &mut Conntrack) -> Result<BTreeSet<Flow>, IpvsError> {
        let former = self.former_marks();
        let mut flows = BTreeSet::new();
        for bit in (0..u32::BITS).map(|it| 1 << it).filter(|bit| former & bit != 0) {
            for family in [Family::Ip, Family::Ip6] {
                for protocol in Protocol::ALL.map(Protocol::number) {
                    conntrack.marked_flows(family, protocol, bit, &mut |flow| {
                        let address = flow.original.destination;
                        // Whoever else has the bit by now keeps to it.
                        if self.servers.has(&ServerKey::Address { protocol, address }) {
                            flows.insert(flow);
                        }
                    })?;
                }
            }
        }
        Ok(flows)
    }

    /// The table looks for none of their marks any more.
    pub(crate) fn forget_former_marks(&mut self) -> Result<(), IpvsError> {
        self.paths.forget_former_marks()?;
        self.registry.let_in(0);
        Ok(self.registry.create()?)
    }
}
