//! One health check port on all its addresses.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use portolan_core::backend::NodePortAddresses;
use portolan_core::{Family, HealthCheck, ObjectName};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{info, warn};

use super::ServedOn;
use super::answer::answer;
use crate::health::Health;
use crate::http::{self, WildcardV6};
use crate::listen::{LISTEN_AGAIN, hint};
use crate::own_task::OwnTask;

/// Load balancers have few checkers, and there may be many ports: a client that holds
/// connections must not take all file descriptors.
const CONNECTIONS: usize = 16;

/// Whom a port speaks for, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) service: ObjectName,
    pub(super) check: HealthCheck,
}

/// The listeners of one port.
pub(super) struct PortServer {
    told: watch::Sender<Told>,
    /// The tasks that listen on an address, or try to.
    listeners: BTreeMap<IpAddr, OwnTask>,
}

impl PortServer {
    pub(super) fn new(told: Told) -> PortServer {
        PortServer { told: watch::Sender::new(told), listeners: BTreeMap::new() }
    }

    /// Changes what is said, not where.
    pub(super) fn tell(&self, told: Told) {
        self.told.send_replace(told);
    }

    /// Stops listening on every address but these.
    pub(super) async fn keep_only(&mut self, addresses: &[IpAddr]) {
        let here: Vec<IpAddr> = self.listeners.keys().copied().collect();
        for gone in here.iter().filter(|address| !addresses.contains(address)) {
            if let Some(listener) = self.listeners.remove(gone) {
                listener.end().await;
            }
        }
    }

    /// Stops listening. Connections that are still open hear that there is nothing here.
    pub(super) async fn close(mut self) {
        self.told.send_modify(|told| {
            told.check = HealthCheck { local_v4: None, local_v6: None, ..told.check };
        });
        self.keep_only(&[]).await;
    }

    /// Listens on these addresses too.
    pub(super) fn open(&mut self, addresses: &[IpAddr], health: &watch::Receiver<Health>) {
        let port = self.told.borrow().check.port;
        for &address in addresses {
            self.listeners.entry(address).or_insert_with(|| {
                let told = self.told.subscribe();
                OwnTask::start(serve(SocketAddr::new(address, port), told, health.clone()))
            });
        }
    }

    /// Where it listens or tries to, and the task that does.
    #[cfg(test)]
    pub(super) fn tasks(&self) -> Vec<(IpAddr, tokio::task::Id)> {
        self.listeners.iter().map(|(address, listener)| (*address, listener.id())).collect()
    }
}

/// The addresses to listen on for a health check.
pub(super) fn addresses(check: &HealthCheck, served_on: &ServedOn) -> Vec<IpAddr> {
    let of = |family| {
        let (of_family, any) = match family {
            Family::V4 => (&served_on.v4, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
            Family::V6 => (&served_on.v6, IpAddr::from(Ipv6Addr::UNSPECIFIED)),
        };
        match (check.local_endpoints(family), of_family) {
            (None, _) => Vec::new(),
            (Some(_), NodePortAddresses::Any) => vec![any],
            (Some(_), NodePortAddresses::Listed(addresses)) => addresses.clone(),
        }
    };
    Family::BOTH.into_iter().flat_map(of).collect()
}

async fn serve(address: SocketAddr, told: watch::Receiver<Told>, health: watch::Receiver<Health>) {
    let mut warned = false;
    let failed = |error: &io::Error| {
        if !std::mem::replace(&mut warned, true) {
            warn_taken(address, &told.borrow().service, error);
        }
    };
    let listener = http::listen(address, WildcardV6::OnlyV6, failed).await;
    if warned {
        info!(%address, service = %told.borrow().service, "the health check is served now");
    }
    let family = Family::of(address.ip());
    http::accept(listener, CONNECTIONS, move |_| {
        let told = told.borrow();
        let local_endpoints = told.check.local_endpoints(family).unwrap_or(0);
        answer(&told.service, local_endpoints, health.borrow().live(Instant::now()))
    })
    .await;
}

fn warn_taken(address: SocketAddr, service: &ObjectName, error: &io::Error) {
    warn!(
        %address,
        %service,
        "cannot listen for spec.healthCheckNodePort, and load balancers will send nothing here: \
         {error}; trying again every {} s.{}",
        LISTEN_AGAIN.as_secs(),
        hint(error)
    );
}
