//! The node, its pods, the other node's pods and the outside client.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use anyhow::Context;
use ipnet::IpNet;
use portolan_core::Family;
use portolan_lab::{LabError, Server, Topology, TopologySpec};

use super::hosts::{CALLER, Host, Pod, SERVICES, Service};

/// The lab, shared between who calls services and who adds and removes pods. Whoever
/// changes it waits until no call is on its way.
#[derive(Clone)]
pub(super) struct Network {
    topology: Arc<RwLock<Topology>>,
}

impl Network {
    /// Builds all hosts, with a server on every endpoint of the example.
    pub(super) fn build() -> anyhow::Result<Network> {
        let topology = spec().build().context("cannot build the network")?;
        Ok(Network { topology: Arc::new(RwLock::new(topology)) })
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Topology> {
        self.topology.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Topology> {
        self.topology.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a pod that serves `service`.
    pub(super) fn start_pod(&self, pod: Pod, service: &Service) -> Result<(), LabError> {
        let mut topology = self.write();
        let addresses = Family::BOTH.map(|family| pod.address(family));
        match pod.is_here() {
            true => topology.add_pod(&addresses)?,
            false => addresses.iter().try_for_each(|address| topology.add_remote_pod(*address))?,
        }
        servers(pod, service).into_iter().try_for_each(|server| topology.serve(server))
    }

    /// Ends a pod with its servers. Those of the other node cannot be ended: for them it is
    /// enough that nobody calls them any more.
    pub(super) fn stop_pod(&self, pod: Pod) -> Result<(), LabError> {
        match pod.is_here() {
            true => self.write().remove_pod(pod.address(Family::V4)),
            false => Ok(()),
        }
    }
}

fn spec() -> TopologySpec {
    let mut spec = TopologySpec { node_addresses: node_addresses(), ..TopologySpec::default() };
    let mut here: BTreeSet<Vec<IpAddr>> = BTreeSet::new();
    here.insert(Family::BOTH.map(|family| CALLER.address(family)).to_vec());
    for service in SERVICES {
        for pod in service.pods {
            let addresses = Family::BOTH.map(|family| pod.address(family));
            if pod.is_here() {
                here.insert(addresses.to_vec());
            } else {
                spec.remote_pods.extend(addresses);
            }
            spec.servers.extend(servers(*pod, service));
        }
    }
    spec.pods = here;
    spec.clients.extend(Family::BOTH.map(|family| Host::Outside.address(family)));
    spec
}

fn servers(pod: Pod, service: &Service) -> Vec<Server> {
    let of_family = |family| {
        let server = move |protocol| Server {
            address: pod.address(family),
            protocol,
            port: service.target_port,
        };
        service.protocols.iter().copied().map(server)
    };
    Family::BOTH.into_iter().flat_map(of_family).collect()
}

/// With the networks that they are in.
fn node_addresses() -> Vec<IpNet> {
    let [v4, v6] = Family::BOTH.map(|family| Host::Node.address(family));
    [(v4, 24), (v6, 64)]
        .into_iter()
        .filter_map(|(address, length)| IpNet::new(address, length).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_endpoint_of_the_example_has_a_server_for_each_of_its_ports() {
        let spec = spec();
        assert_eq!(spec.node_addresses.len(), 2);
        assert_eq!(spec.servers.len(), (3 + 2 + 2) * 2 + 2 * 2 * 2);
        let hosts: BTreeSet<IpAddr> =
            spec.pods.iter().flatten().chain(&spec.remote_pods).copied().collect();
        assert!(spec.servers.iter().all(|server| hosts.contains(&server.address)));
    }
}
