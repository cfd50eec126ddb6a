//! What can go wrong in this backend.

use portolan_core::CheckError;
use portolan_netlink::NetlinkError;

use crate::sysctl::SysctlError;

/// A failure of the IPVS backend. The text tells the operator what to check.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IpvsError {
    /// The kernel refused something, or could not be reached.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// A setting of the kernel could not be made what it must be.
    #[error(transparent)]
    Sysctl(#[from] SysctlError),
    /// The kernel has not taken the rules or routes that lead packets to IPVS.
    #[error(
        "packets would not reach IPVS: a routing rule or route is missing, and the log says why"
    )]
    NoPath,
    /// The kernel lacks the scheduler that Services have which do not choose one.
    #[error(
        "this kernel has no scheduler {name} for IPVS (--ipvs-scheduler): is its module ip_vs_{name} there, and may it be loaded? `modprobe ip_vs_{name}` on the node tells"
    )]
    NoScheduler {
        /// Its name.
        name: String,
    },
    /// The kernel has not taken all virtual servers.
    #[error(
        "{missing} virtual servers are missing in IPVS, for example {example}: the log says why"
    )]
    Incomplete {
        /// How many.
        missing: usize,
        /// One of them.
        example: String,
    },
}

impl From<IpvsError> for CheckError {
    fn from(error: IpvsError) -> CheckError {
        CheckError::InDoubt(error.into())
    }
}
