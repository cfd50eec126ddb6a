//! What becomes of flows that connection tracking knows, with the running agent on a node of
//! its own.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod early;
mod gone;
mod scene;
#[path = "../../../nft/tests/common/tracking.rs"]
mod tracking;
mod udp;

use portolan_lab::namespaced;

/// What balances connections.
const BACKEND: &str = "nftables";
