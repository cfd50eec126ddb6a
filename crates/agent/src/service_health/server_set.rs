//! Which ports are served, and for whom.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use portolan_core::backend::NodePortAddresses;
use portolan_core::{HealthCheck, ObjectName};
use tokio::sync::watch;
use tracing::warn;

use super::port_server::{PortServer, Told, addresses};
use super::{News, ServedOn};
use crate::health::Health;

/// The servers, made what the news say at the cost of what changed.
pub(super) struct ServerSet {
    health: watch::Receiver<Health>,
    served_on: ServedOn,
    checks: BTreeMap<ObjectName, HealthCheck>,
    /// Who wants a port, in the order in which they came; the first one has it. No list
    /// is empty.
    claims: BTreeMap<u16, Vec<ObjectName>>,
    servers: BTreeMap<u16, PortServer>,
}

impl ServerSet {
    pub(super) fn new(health: watch::Receiver<Health>) -> ServerSet {
        let nowhere = || NodePortAddresses::Listed(Vec::new());
        ServerSet {
            health,
            served_on: ServedOn { v4: nowhere(), v6: nowhere() },
            checks: BTreeMap::new(),
            claims: BTreeMap::new(),
            servers: BTreeMap::new(),
        }
    }

    /// Makes the servers what `news` say.
    pub(super) async fn take_in(&mut self, news: News) {
        let mut touched = BTreeSet::new();
        if let Some(served_on) = news.served_on {
            self.served_on = served_on;
            touched.extend(self.claims.keys().copied());
        }
        let checks = news.checks.since(self.checks.keys());
        // Ports are given up before they are claimed: they may go from one to another.
        for (service, check) in &checks {
            self.give_up(service, *check, &mut touched);
        }
        for (service, check) in checks {
            if let Some(check) = check {
                self.claim(service, check, &mut touched);
            }
        }
        self.serve(&touched).await;
    }

    /// Unless the port stays.
    fn give_up(
        &mut self,
        service: &ObjectName,
        new: Option<HealthCheck>,
        touched: &mut BTreeSet<u16>,
    ) {
        let Some(old) = self.checks.get(service) else { return };
        if new.is_some_and(|new| new.port == old.port) {
            return;
        }
        let port = old.port;
        touched.insert(port);
        self.checks.remove(service);
        if let Some(claims) = self.claims.get_mut(&port) {
            claims.retain(|claim| claim != service);
            if claims.is_empty() {
                self.claims.remove(&port);
            }
        }
    }

    fn claim(&mut self, service: ObjectName, check: HealthCheck, touched: &mut BTreeSet<u16>) {
        touched.insert(check.port);
        if self.checks.insert(service.clone(), check).is_some() {
            return;
        }
        let claims = self.claims.entry(check.port).or_default();
        if let Some(owner) = claims.first() {
            warn!(
                %service,
                "spec.healthCheckNodePort {} is skipped: Service {owner} has it. Load balancers \
                 that ask there hear of that Service",
                check.port
            );
        }
        claims.push(service);
    }

    /// Makes servers of these ports what they should be. All that ends does so before
    /// anything starts: one address may be part of another.
    async fn serve(&mut self, touched: &BTreeSet<u16>) {
        for &port in touched {
            match self.wanted(port) {
                None => {
                    if let Some(server) = self.servers.remove(&port) {
                        server.close().await;
                    }
                }
                Some((told, addresses)) => {
                    if let Some(server) = self.servers.get_mut(&port) {
                        server.tell(told);
                        server.keep_only(&addresses).await;
                    }
                }
            }
        }
        for &port in touched {
            if let Some((told, addresses)) = self.wanted(port) {
                let server = self.servers.entry(port).or_insert_with(|| PortServer::new(told));
                server.open(&addresses, &self.health);
            }
        }
    }

    fn wanted(&self, port: u16) -> Option<(Told, Vec<IpAddr>)> {
        let service = self.claims.get(&port)?.first()?;
        let check = *self.checks.get(service)?;
        Some((Told { service: service.clone(), check }, addresses(&check, &self.served_on)))
    }

    /// The ports, with the addresses that are listened on or tried, and the tasks that do.
    #[cfg(test)]
    pub(super) fn tasks(&self) -> BTreeMap<u16, Vec<(IpAddr, tokio::task::Id)>> {
        self.servers.iter().map(|(port, server)| (*port, server.tasks())).collect()
    }
}
