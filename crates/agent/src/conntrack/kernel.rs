//! The flows of the kernel.

use portolan_core::{BackendError, Family, Protocol};
use portolan_netlink::conntrack::{Conntrack, Flow};
use portolan_netlink::nftables;

use super::sweep::FlowTable;

/// Opens the connection tracking of the calling thread's network namespace.
pub(crate) fn open_flow_table() -> Result<Box<dyn FlowTable>, BackendError> {
    Ok(Box::new(Conntrack::open()?))
}

impl FlowTable for Conntrack {
    fn flows(
        &mut self,
        family: Family,
        protocol: Protocol,
        unanswered: bool,
        visit: &mut dyn FnMut(Flow),
    ) -> Result<(), BackendError> {
        let family = match family {
            Family::V4 => nftables::Family::Ip,
            Family::V6 => nftables::Family::Ip6,
        };
        let number = protocol.number();
        match unanswered {
            true => self.unanswered_flows(family, number, visit)?,
            false => Conntrack::flows(self, family, number, visit)?,
        }
        Ok(())
    }

    fn delete(&mut self, flow: &Flow) -> Result<bool, BackendError> {
        Ok(Conntrack::delete(self, flow)?)
    }
}
