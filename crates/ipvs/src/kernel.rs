//! The kernel's IPVS, as much of it as is used here. Tests have one that is none.

use std::fmt;

use portolan_netlink::NetlinkError;
use portolan_netlink::ipvs::{
    DestinationState, Failure, Ipvs, Operation, Server, ServerKey, Timeouts,
};

/// The methods of [`Ipvs`] with these names.
pub(crate) trait Kernel: fmt::Debug + Send {
    fn servers(&mut self) -> Result<Vec<Server>, NetlinkError>;
    fn destinations(&mut self, key: &ServerKey) -> Result<Vec<DestinationState>, NetlinkError>;
    fn execute(&mut self, operations: &[Operation]) -> Result<Vec<Failure>, NetlinkError>;
    fn lacks_scheduler(&mut self, name: &str) -> Result<bool, NetlinkError>;
    fn set_timeouts(&mut self, timeouts: Timeouts) -> Result<(), NetlinkError>;
    fn bytes_sent(&self) -> u64;
}

impl Kernel for Ipvs {
    fn servers(&mut self) -> Result<Vec<Server>, NetlinkError> {
        Ipvs::servers(self)
    }

    fn destinations(&mut self, key: &ServerKey) -> Result<Vec<DestinationState>, NetlinkError> {
        Ipvs::destinations(self, key)
    }

    fn execute(&mut self, operations: &[Operation]) -> Result<Vec<Failure>, NetlinkError> {
        Ipvs::execute(self, operations)
    }

    fn lacks_scheduler(&mut self, name: &str) -> Result<bool, NetlinkError> {
        Ipvs::lacks_scheduler(self, name)
    }

    fn set_timeouts(&mut self, timeouts: Timeouts) -> Result<(), NetlinkError> {
        Ipvs::set_timeouts(self, timeouts)
    }

    fn bytes_sent(&self) -> u64 {
        Ipvs::bytes_sent(self)
    }
}
