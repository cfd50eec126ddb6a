//! The same flows where IPVS has them: what the agent promises of them does not depend on
//! what balances connections.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod early;
mod gone;
mod scene;
#[path = "../../../nft/tests/common/tracking.rs"]
mod tracking;
mod udp;

use portolan_lab::namespaced_as_superuser as namespaced;

/// What balances connections.
const BACKEND: &str = "ipvs";
