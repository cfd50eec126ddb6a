//! What a connection through a service costs over one straight to the pod.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use portolan_core::Backend as _;
use portolan_lab::{Protocol, Topology, TopologySpec};
use portolan_nft::{NftBackend, NftOptions};

use crate::cluster::{Cluster, environment};
use crate::measure::{Times, readable};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 255, 0, 2);
const POD: Ipv4Addr = Ipv4Addr::new(10, 255, 0, 3);
const PORT: u16 = 8080;

/// Connects from one pod of the node to another, straight and through a ClusterIP in turn,
/// beside so many other services.
pub(crate) fn run(services: u32, connections: u32) -> anyhow::Result<()> {
    let spec = TopologySpec::default().pod(CLIENT).pod(POD).server(POD, Protocol::Tcp, PORT);
    let topology: Topology = spec.build()?;
    let mut cluster = Cluster::new(services, 10);
    let through = cluster.add_service_of(POD.into(), PORT);
    let (plans, environment) = (cluster.plans(), environment());
    topology.node().run(|| -> anyhow::Result<()> {
        let mut backend = NftBackend::open(NftOptions::default())?;
        backend.converge(&mut plans.iter(), &environment).map_err(|error| anyhow!(error))?;
        Ok(())
    })?;
    let straight = SocketAddr::new(IpAddr::from(POD), PORT);
    let [straight, through] = topology
        .host_of(CLIENT.into())?
        .run(|| alternate(straight, through, connections))
        .context("connect inside the lab")?;
    line(services, &straight, &through);
    Ok(())
}

fn alternate(
    straight: SocketAddr,
    through: SocketAddr,
    connections: u32,
) -> io::Result<[Times; 2]> {
    let mut times = [Times::default(), Times::default()];
    for round in 0..connections {
        for (times, address) in times.iter_mut().zip([straight, through]) {
            let connection = times.time(|| TcpStream::connect(address))?;
            // The first rounds resolve neighbours and warm caches.
            if round < 20 {
                times.clear();
            }
            drop(connection);
        }
    }
    Ok(times)
}

fn line(services: u32, straight: &Times, through: &Times) {
    let cost = through.median().saturating_sub(straight.median());
    println!(
        "{:<34} {services:>9} {:>10} {:>10} {:>10} {:>7}  {} more than straight to the pod",
        "new TCP connection to a ClusterIP",
        readable(through.median()),
        readable(through.quantile(99)),
        readable(straight.median()),
        crate::measure::ratio(through.median(), straight.median()),
        if cost.is_zero() { readable(Duration::ZERO) } else { readable(cost) },
    );
}
