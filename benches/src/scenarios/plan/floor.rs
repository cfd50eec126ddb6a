//! The least that a transaction can cost: encoded beforehand and sent by itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portolan_core::{Backend as _, Change, Environment, ServicePlan};
use portolan_lab::Namespace;
use portolan_netlink::nftables::{Batch, Connection};
use portolan_nft::{NftBackend, NftOptions, cleanup, first_transaction};

/// A kernel that has the same as the agent's and gets the same operations, in a network
/// namespace of its own.
pub(super) struct Floor {
    namespace: Namespace,
    connection: Connection,
    /// Knows what the kernel has, and says what the next operations are.
    backend: Option<NftBackend>,
}

/// What sending one transaction took.
pub(super) struct Sent {
    pub(super) time: Duration,
    pub(super) bytes: usize,
}

impl Floor {
    pub(super) fn new() -> anyhow::Result<Floor> {
        let namespace = Namespace::new("the floor")?;
        let connection = namespace.run(Connection::open)?;
        Ok(Floor { namespace, connection, backend: None })
    }

    /// Deletes everything.
    pub(super) fn clear(&mut self) -> anyhow::Result<()> {
        self.backend = None;
        self.namespace.run(|| cleanup(&NftOptions::default().table))?;
        Ok(())
    }

    /// The whole cluster, to a kernel that has nothing.
    pub(super) fn full(
        &mut self,
        plans: &[Arc<ServicePlan>],
        environment: &Environment,
    ) -> anyhow::Result<Sent> {
        self.send(first_transaction(plans, environment, &NftOptions::default()))
    }

    /// Begins to follow the agent from what the kernel has.
    pub(super) fn follow(
        &mut self,
        plans: &[Arc<ServicePlan>],
        environment: &Environment,
    ) -> anyhow::Result<()> {
        let mut backend = self.namespace.run(|| NftBackend::open(NftOptions::default()))?;
        backend.converge(&mut plans.iter(), environment).map_err(anyhow::Error::msg)?;
        self.backend = Some(backend);
        Ok(())
    }

    /// What the agent would send for changes.
    pub(super) fn encode(&mut self, changes: &[Change]) -> anyhow::Result<Batch> {
        let backend = self.backend.as_mut();
        Ok(backend
            .ok_or_else(|| anyhow::anyhow!("the floor follows nobody"))?
            .transaction(changes)?)
    }

    /// Sends what was encoded.
    pub(super) fn send(&mut self, mut batch: Batch) -> anyhow::Result<Sent> {
        let begin = Instant::now();
        let receipt = self.connection.commit(&mut batch)?;
        Ok(Sent { time: begin.elapsed(), bytes: receipt.bytes })
    }
}
