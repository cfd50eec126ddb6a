//! Health checks of Services: which nodes a load balancer sends traffic to.
//!
//! ```text
//!  loop ── announce ──▶ coming ── confirm ──▶ server set ──▶ one server for each port
//!           before a call           after it    (a task)      and node address
//! ```
//!
//! What is told is what the kernel does: a node whose last endpoint went says so once its
//! rules do.

mod answer;
mod port_server;
mod server_set;
#[cfg(test)]
mod tests;

use portolan_core::backend::NodePortAddresses;
use portolan_core::{Change, Environment, HealthCheck, ServicePlan};
use tokio::sync::{mpsc, watch};

use self::server_set::ServerSet;
use crate::announced::Announced;
use crate::health::Health;

/// The addresses of this node that health checks are served on: those of NodePorts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServedOn {
    pub(crate) v4: NodePortAddresses,
    pub(crate) v6: NodePortAddresses,
}

/// What changed since the last news.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) checks: Announced<HealthCheck>,
    /// If they changed.
    pub(crate) served_on: Option<ServedOn>,
}

impl News {
    fn is_empty(&self) -> bool {
        self.checks.is_empty() && self.served_on.is_none()
    }
}

/// The loop's end of the server set.
pub(crate) struct HealthChecks {
    /// What the call on its way, and those that failed before it, will make true.
    coming: News,
    /// What was said last.
    served_on: Option<ServedOn>,
    sender: mpsc::UnboundedSender<News>,
}

/// The two ends. The queue stays short: the server set never waits for the network.
pub(crate) fn channel() -> (HealthChecks, mpsc::UnboundedReceiver<News>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    (HealthChecks { coming: News::default(), served_on: None, sender }, receiver)
}

impl HealthChecks {
    /// The backend is about to be told of these changes.
    pub(crate) fn announce_changes(&mut self, changes: &[Change]) {
        self.coming.checks.changes(changes, |plan| plan.health_check);
    }

    /// The backend is about to be told of all plans.
    pub(crate) fn announce_all<'a>(&mut self, plans: impl Iterator<Item = &'a ServicePlan>) {
        self.coming.checks.all(plans, |plan| plan.health_check);
    }

    /// The backend has done all that was announced.
    pub(crate) fn confirm(&mut self, environment: &Environment) {
        let served_on = ServedOn {
            v4: environment.node_ports_v4.clone(),
            v6: environment.node_ports_v6.clone(),
        };
        let mut news = std::mem::take(&mut self.coming);
        if self.served_on.as_ref() != Some(&served_on) {
            self.served_on = Some(served_on.clone());
            news.served_on = Some(served_on);
        }
        if !news.is_empty() {
            // Nobody is left to hear it at the end.
            let _ = self.sender.send(news);
        }
    }
}

/// Serves what `news` say until the loop ends or this is dropped.
pub(crate) async fn serve(
    mut news: mpsc::UnboundedReceiver<News>,
    health: watch::Receiver<Health>,
) {
    let mut servers = ServerSet::new(health);
    while let Some(news) = news.recv().await {
        servers.take_in(news).await;
    }
}
