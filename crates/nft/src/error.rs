//! What can go wrong in this backend.

use portolan_netlink::NetlinkError;

/// A failure of the nftables backend. The text tells the operator what to check.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NftError {
    /// The kernel refused something, or could not be reached.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
    /// Changes were given before the first convergence, or after a failure.
    #[error("the table must be converged before changes can be applied to it")]
    NotConverged,
}
