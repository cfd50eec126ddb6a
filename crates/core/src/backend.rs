//! What a kernel backend promises to the agent.

use std::iter::Sum;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::model::Family;
use crate::plan::{Change, ServicePlan};

/// A failure of a backend. Its text tells the operator what to check.
pub type BackendError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Why a backend could not say whether others changed something.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The kernel could not be read. What the backend wrote is not in doubt by that: changes
    /// can be applied, and the kernel is looked at again later.
    #[error(transparent)]
    Unread(BackendError),
    /// What the backend wrote when it looked may not be in the kernel: the caller converges.
    #[error(transparent)]
    InDoubt(BackendError),
}

/// What is not known to have been read only is in doubt.
impl From<BackendError> for CheckError {
    fn from(error: BackendError) -> CheckError {
        CheckError::InDoubt(error)
    }
}

/// What a backend needs to know about the node besides plans.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// Networks of all ServiceCIDR objects: addresses in them that no service has are
    /// dropped.
    pub service_cidrs: Vec<IpNet>,
    /// Addresses of this node that take NodePorts, or match-all, IPv4.
    pub node_ports_v4: NodePortAddresses,
    /// The same for IPv6.
    pub node_ports_v6: NodePortAddresses,
    /// How connections of local pods are recognised, IPv4.
    pub local_pods_v4: LocalPods,
    /// The same for IPv6.
    pub local_pods_v6: LocalPods,
    /// NodePorts are served on 127.0.0.0/8 to processes of this node. The kernel does so
    /// only while `net.ipv4.conf.all.route_localnet` is 1, which is the agent's to set; a
    /// backend keeps packets of the network away from those addresses. `::1` is the
    /// agent's to serve: no rule can.
    pub localhost_node_ports: bool,
}

impl Environment {
    /// Whether the same addresses take NodePorts in another environment.
    pub fn has_node_ports_of(&self, other: &Environment) -> bool {
        self.node_ports_v4 == other.node_ports_v4
            && self.node_ports_v6 == other.node_ports_v6
            && self.localhost_node_ports == other.localhost_node_ports
    }
}

/// Which addresses of this node take NodePorts in one family.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodePortAddresses {
    /// Every local address but loopback.
    #[default]
    Any,
    /// These addresses only; sorted, no duplicates, no loopback; may be empty.
    Listed(Vec<IpAddr>),
}

/// How connections of local pods are recognised in one family
/// (`--detect-local-mode` of kube-proxy).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum LocalPods {
    /// They are not: no ClusterIP connection is masqueraded, no pod is short-circuited.
    #[default]
    Unknown,
    /// By source address.
    Source(IpNet),
    /// By the name of the interface they come in on.
    Interface(String),
    /// By the first characters of that name.
    InterfacePrefix(String),
}

/// What one call did to the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncReport {
    /// Objects and elements added or changed. Zero means that nothing was sent.
    pub added: usize,
    /// Objects and elements deleted.
    pub deleted: usize,
    /// Kernel transactions, or single requests where there are no transactions.
    pub transactions: usize,
    /// Bytes sent to the kernel.
    pub bytes: usize,
    /// Time spent waiting for the kernel.
    pub kernel: Duration,
}

/// What several steps did together.
impl Sum for SyncReport {
    fn sum<I: Iterator<Item = SyncReport>>(reports: I) -> SyncReport {
        reports.fold(SyncReport::default(), |total, report| SyncReport {
            added: total.added + report.added,
            deleted: total.deleted + report.deleted,
            transactions: total.transactions + report.transactions,
            bytes: total.bytes + report.bytes,
            kernel: total.kernel.saturating_add(report.kernel),
        })
    }
}

/// Connections that stay where no new ones go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draining {
    /// The backend that has them.
    pub backend: String,
    /// Virtual servers with such endpoints.
    #[serde(default)]
    pub servers: usize,
    /// Endpoints of frontends that have some of them.
    pub endpoints: usize,
    /// How many there are, as far as the kernel counts them; flows of UDP and connections
    /// that are about to end among them.
    pub connections: u64,
    /// In how many seconds the last of them is let go of, if it has not ended by itself.
    #[serde(default)]
    pub seconds_left: u64,
}

/// How many clients session affinity remembers in one map of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The family of the clients.
    pub family: Family,
    /// The name of the map.
    pub map: &'static str,
    /// Clients, once for each frontend that they used; those among them whose time is over
    /// and that the kernel has not cleaned up.
    pub clients: usize,
    /// How many of them the map takes.
    pub room: usize,
}

/// Programs plans into a kernel. Calls block; the agent gives each backend a thread.
///
/// After an error of a call that changes something the kernel is as [`Backend::atomic`] says,
/// and the caller must use [`Backend::converge`] before it applies further changes.
pub trait Backend: Send {
    /// The name by which operators choose it: `nftables` or `ipvs`.
    fn name(&self) -> &'static str;

    /// Whether a call takes effect as a whole or not at all. A backend that answers
    /// `false` orders its operations so that no step breaks traffic.
    fn atomic(&self) -> bool;

    /// Observes the kernel for the first [`Backend::converge`], while nobody knows plans yet.
    /// That one observes again if anything has changed meanwhile, and tells of errors.
    fn look_ahead(&mut self) {}

    /// Observes the kernel and makes it what `plans` and `environment` say, sending only
    /// the difference. Used at start and after an error.
    fn converge(
        &mut self,
        plans: &mut dyn Iterator<Item = &Arc<ServicePlan>>,
        environment: &Environment,
    ) -> Result<SyncReport, BackendError>;

    /// Applies changes since the last successful call. Costs as much as the changes.
    fn apply(&mut self, changes: &[Change]) -> Result<SyncReport, BackendError>;

    /// Takes in another environment, with the plans of the last successful call. Costs as
    /// much as what the environment changes, however many services there are.
    fn adapt(&mut self, environment: &Environment) -> Result<SyncReport, BackendError>;

    /// Makes new connections take the way of another backend, by its name, and lets those
    /// that are established stay where they are until they end. After an error nothing has
    /// changed for clients; the caller must converge.
    fn switch(
        &mut self,
        to: &str,
        _plans: &mut dyn Iterator<Item = &Arc<ServicePlan>>,
        _environment: &Environment,
    ) -> Result<SyncReport, BackendError> {
        Err(format!("the backend {} cannot be changed to {to} while it runs", self.name()).into())
    }

    /// Connections that stay where no new ones go, as of the last [`Backend::switch`] or
    /// [`Backend::is_disturbed`]; `None` if there are none.
    fn draining(&self) -> Option<Draining> {
        None
    }

    /// What Services ask for and do not get although they are served, as of the last call;
    /// one sentence each, with what the operator should check. Few, however many Services
    /// there are.
    fn problems(&self) -> Vec<String> {
        Vec::new()
    }

    /// How full the maps of session affinity are; nothing where that is not cheap to know. May
    /// ask the kernel, so it is no question for after each call.
    fn remembered(&mut self) -> Vec<Remembered> {
        Vec::new()
    }

    /// Whether others may have changed what this backend keeps in the kernel since the
    /// last call. Cheap where nothing happened: a few requests. After `true` the caller
    /// converges, after an error only if that says so.
    fn is_disturbed(&mut self) -> Result<bool, CheckError> {
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_several_steps_add_up_in_every_field() {
        let step = |one: usize| SyncReport {
            added: one,
            deleted: 2 * one,
            transactions: 3 * one,
            bytes: 4 * one,
            kernel: Duration::from_secs(one as u64),
        };
        assert_eq!([step(1), step(2), step(4)].into_iter().sum::<SyncReport>(), step(7));
        assert_eq!([].into_iter().sum::<SyncReport>(), SyncReport::default());
    }
}
