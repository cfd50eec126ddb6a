//! Which NodePorts are served on `::1`, and for whom.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use portolan_core::ObjectName;

use super::board::PortNote;
use super::choice::SharedChoice;
use super::node_port::{NodePort, Target, Targets, Transport};
use super::shared::Shared;
use super::tcp::TcpRelay;
use super::udp::UdpRelay;
use crate::announced::Announced;
use crate::own_task::OwnTask;

/// The relays, made what the news say at the cost of what changed.
pub(super) struct RelaySet {
    shared: Arc<Shared>,
    owned: BTreeMap<ObjectName, BTreeSet<NodePort>>,
    relays: BTreeMap<NodePort, Relay>,
}

/// A NodePort that is listened on, or tried.
struct Relay {
    choice: SharedChoice,
    note: Arc<PortNote>,
    task: OwnTask,
}

impl RelaySet {
    pub(super) fn new(shared: Arc<Shared>) -> RelaySet {
        RelaySet { shared, owned: BTreeMap::new(), relays: BTreeMap::new() }
    }

    /// Makes the relays what `news` say. Plans never give one NodePort to two Services,
    /// but it may go from one to another, which does not interrupt it.
    pub(super) async fn take_in(&mut self, news: Announced<Targets>) {
        let mut left = BTreeSet::new();
        let mut wanted = Targets::new();
        for (service, targets) in news.since(self.owned.keys()) {
            left.extend(self.owned.remove(&service).unwrap_or_default());
            if let Some(targets) = targets {
                self.owned.insert(service, targets.keys().copied().collect());
                wanted.extend(targets);
            }
        }
        let listens = |target: &Target| !target.endpoints.is_empty();
        for node_port in left.into_iter().filter(|it| !wanted.get(it).is_some_and(listens)) {
            self.close(node_port).await;
        }
        for (node_port, target) in wanted {
            self.end_what_may_not_stay(node_port, &target);
            if listens(&target) {
                self.serve(node_port, target);
            }
        }
    }

    fn end_what_may_not_stay(&self, node_port: NodePort, target: &Target) {
        let Some(serving) = &target.serving else { return };
        match node_port.transport {
            Transport::Tcp => self.shared.connections.keep_only(node_port.port, serving),
            Transport::Udp => self.shared.flows.keep_only(node_port.port, serving),
        }
    }

    fn serve(&mut self, node_port: NodePort, target: Target) {
        match self.relays.get(&node_port) {
            Some(relay) => {
                relay.note.belongs_to(target.service.clone());
                relay.choice.tell(target);
            }
            None => {
                let relay = self.open(node_port, target);
                self.relays.insert(node_port, relay);
            }
        }
    }

    fn open(&self, node_port: NodePort, target: Target) -> Relay {
        let note = self.shared.board.add(node_port, target.service.clone());
        let choice = SharedChoice::new(target);
        let (of_task, noted, shared) =
            (choice.clone(), Arc::clone(&note), Arc::clone(&self.shared));
        let task = match node_port.transport {
            Transport::Tcp => {
                OwnTask::start(TcpRelay { choice: of_task, note: noted, shared }.serve())
            }
            Transport::Udp => {
                OwnTask::start(UdpRelay { choice: of_task, note: noted, shared }.serve())
            }
        };
        Relay { choice, note, task }
    }

    /// New clients are refused when this returns; connections of TCP live on.
    async fn close(&mut self, node_port: NodePort) {
        let Some(relay) = self.relays.remove(&node_port) else { return };
        relay.choice.end();
        relay.task.end().await;
        if node_port.transport == Transport::Udp {
            self.shared.flows.keep_only(node_port.port, &[]);
        }
        self.shared.board.remove(node_port);
    }

    /// The NodePorts and the tasks that serve them.
    #[cfg(test)]
    pub(super) fn tasks(&self) -> BTreeMap<NodePort, tokio::task::Id> {
        self.relays.iter().map(|(node_port, relay)| (*node_port, relay.task.id())).collect()
    }
}
