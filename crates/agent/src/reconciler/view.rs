//! What others may know of the loop.

use portolan_core::IndexCounts;
use portolan_core::explain::{Explained, NodeView, Question};

use super::{CallKind, Reconciler, State};
use crate::config::BackendKind;
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
        Dump {
            status: self.status(),
            problems: self.problems.all(self.index.problems()),
            services: self.index.plans().cloned().collect(),
            loopback: self.loopback.as_ref().map(LoopbackRelay::report),
        }
    }

    /// How the agent is. The backend's facts are the caller's to fill in.
    pub(crate) fn status(&self) -> Status {
        let IndexCounts { services, endpoint_slices, endpoints, .. } = self.index.counts();
        Status {
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
        }
    }

    /// What becomes of packets while this backend serves. Reads the addresses of the
    /// interfaces; without them there would be no answer but a guess, so the error is the
    /// answer then.
    pub(crate) fn explain(&self, question: &Question, backend: &str) -> Result<Explained, String> {
        let unknown =
            |error| format!("cannot read the addresses of this node's interfaces: {error}");
        let addresses = self.surroundings.addresses().map_err(unknown)?;
        let environment =
            self.surroundings.known_or_resolved(&self.index, &self.config).map_err(unknown)?;
        let is_ipvs = backend == BackendKind::Ipvs.name();
        let node = NodeView {
            environment: &environment,
            addresses: &addresses,
            masquerade_all: self.config.nftables.masquerade_all,
            ipvs_scheduler: is_ipvs.then_some(self.config.ipvs.scheduler.as_str()),
        };
        Ok(self.index.explain(&node, question))
    }
}
