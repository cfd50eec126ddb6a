//! What others may know of the loop.

use portolan_core::IndexCounts;

use super::{CallKind, Reconciler, State};
use crate::control::{Dump, Status};
use crate::health::Health;
use crate::loopback_relay::LoopbackRelay;

impl Reconciler {
    /// What the health server needs.
    pub(crate) fn health(&self) -> Health {
        let in_call = match &self.state {
            State::Busy(call) if call.kind != CallKind::Check => Some(call.since),
            _ => None,
        };
        Health {
            last_sync: self.last_sync,
            waiting_since: in_call.into_iter().chain(self.waiting_since).min(),
            node_leaving: self.surroundings.is_node_deleted()
                || self.index.node().is_some_and(|node| node.leaving),
        }
    }

    /// Everything, sharing the plans. The backend's facts are the caller's to fill in.
    pub(crate) fn dump(&self) -> Dump {
        let IndexCounts { services, endpoint_slices, endpoints, .. } = self.index.counts();
        Dump {
            status: Status {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                node_name: self.config.node_name.clone(),
                synced: self.last_sync.is_some(),
                service_count: services,
                endpoint_slice_count: endpoint_slices,
                endpoint_count: endpoints,
                syncs: self.syncs,
                last_sync: self.last_sync,
                failures: self.retry.failures(),
                last_error: self.last_error.clone(),
                flows_deleted: self.flows.metrics().total_deleted(),
                flow_error: self.flows.failure(),
                ..Status::default()
            },
            problems: self.problems.all(self.index.problems()),
            services: self.index.plans().cloned().collect(),
            loopback: self.loopback.as_ref().map(LoopbackRelay::report),
        }
    }
}
