//! The API server as a source.
//!
//! ```text
//!  Services       ─▶ Follower ─▶ Translator ─┐
//!  EndpointSlices ─▶ Follower ─▶ Translator ─┼─▶ SourceEvent
//!  this Node      ─▶ Follower ─▶ Translator ─┤
//!  ServiceCIDRs   ─▶ Follower ─▶ Translator ─┘
//! ```
//!
//! The four are independent: trouble with one never holds back another. Each keeps its
//! last state through any error, tells what is wrong, and goes on trying. Objects are
//! converted and dropped as they arrive.

mod client;
mod failures;
mod follow;
mod object;
mod outage;
mod pace;
mod reaction;
mod token_file;
mod translate;
mod trust;

use futures::future::join_all;
use kube::Client;
use portolan_core::ObjectKind;
use tokio::sync::mpsc;

pub use self::client::kube_client;
pub use self::failures::WatchFailures;
use self::follow::Follower;
use self::outage::Outage;
use crate::error::WatchError;
use crate::event::SourceEvent;

/// For whom to watch.
#[derive(Clone, Debug)]
pub struct KubeConfig {
    /// The name of this node; other Node objects are not asked for.
    pub node_name: String,
    /// Where failed watches are counted.
    pub failures: WatchFailures,
}

/// Follows the cluster until the receiver is gone. Each list becomes one reset; the first
/// of Services and of EndpointSlices together complete the initial state.
///
/// # Errors
///
/// None so far: whatever the server does is told to the receiver, and tried again.
pub async fn run_kube(
    client: Client,
    config: KubeConfig,
    sender: mpsc::Sender<SourceEvent>,
) -> Result<(), WatchError> {
    let kinds =
        [ObjectKind::Service, ObjectKind::EndpointSlice, ObjectKind::Node, ObjectKind::ServiceCIDR];
    let outage = Outage::default();
    let follow =
        |kind| Follower::new(client.clone(), kind, &config, sender.clone(), outage.clone()).run();
    join_all(kinds.map(follow)).await;
    Ok(())
}
