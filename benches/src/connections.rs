//! What a connection through a service costs over one straight to the pod.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Instant;

use anyhow::{Context as _, anyhow};
use portolan_core::{Backend as _, SessionAffinity};
use portolan_lab::{Protocol, Topology, TopologySpec};
use portolan_nft::{NftBackend, NftOptions};

use crate::cluster::{Cluster, environment};
use crate::measure::{Times, readable};

const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 255, 0, 2);
const POD: Ipv4Addr = Ipv4Addr::new(10, 255, 0, 3);
const PORT: u16 = 8080;

/// Rounds in one namespace before the other has its turn.
const BLOCK: u32 = 100;
/// Rounds at the start of a block that do not count: they resolve neighbours, fill caches.
const WARM_UP: u32 = 20;
/// What is connected to where there are rules.
const KINDS: usize = 3;

/// Connects from one pod of a node to another beside so many other services: on a node
/// without rules or connection tracking, straight past the rules, through a ClusterIP, and
/// through one with session affinity that remembers the client.
pub(crate) fn run(services: u32, connections: u32) -> anyhow::Result<()> {
    let straight = SocketAddr::new(IpAddr::from(POD), PORT);
    let mut cluster = Cluster::new(services, 10);
    let affinity = SessionAffinity { timeout_seconds: 10_800 };
    let addresses = [
        straight,
        cluster.add_service_of(POD.into(), PORT, None),
        cluster.add_service_of(POD.into(), PORT, Some(affinity)),
    ];
    let (without, with) = (node()?, node()?);
    let (plans, environment) = (cluster.plans(), environment());
    let _backend = with.node().run(|| -> anyhow::Result<NftBackend> {
        let mut backend = NftBackend::open(NftOptions::default())?;
        backend.converge(&mut plans.iter(), &environment).map_err(|error| anyhow!(error))?;
        Ok(backend)
    })?;
    let mut bare = [Times::default()];
    let mut ruled: [Times; KINDS] = Default::default();
    for _ in 0..connections.div_ceil(BLOCK) {
        let failed = "connect inside the lab";
        let client = CLIENT.into();
        without.host_of(client)?.run(|| connect(&mut bare, [straight])).context(failed)?;
        with.host_of(client)?.run(|| connect(&mut ruled, addresses)).context(failed)?;
    }
    let ([bare], [straight, service, affinity]) = (bare, ruled);
    line("new TCP connection past the rules", services, &bare, &straight);
    line("to a ClusterIP", services, &bare, &service);
    line("to one with session affinity", services, &bare, &affinity);
    Ok(())
}

fn node() -> anyhow::Result<Topology> {
    let spec = TopologySpec::default().pod(CLIENT).pod(POD).server(POD, Protocol::Tcp, PORT);
    Ok(spec.build()?)
}

/// Connects to each address in turn, a block of rounds. Each comes first as often as the
/// others, because what follows finds warmer caches.
fn connect<const N: usize>(times: &mut [Times; N], addresses: [SocketAddr; N]) -> io::Result<()> {
    for round in 0..WARM_UP + BLOCK {
        let mut kinds: Vec<_> = times.iter_mut().zip(addresses).collect();
        kinds.rotate_left(round as usize % N);
        for (times, address) in kinds {
            let start = Instant::now();
            let connection = TcpStream::connect(address)?;
            if round >= WARM_UP {
                times.record(start.elapsed());
            }
            drop(connection);
        }
    }
    Ok(())
}

fn line(what: &str, services: u32, bare: &Times, times: &Times) {
    let cost = times.median().saturating_sub(bare.median());
    println!(
        "{what:<34} {services:>9} {:>10} {:>10} {:>10} {:>7}  {} more than without rules",
        readable(times.median()),
        readable(times.quantile(99)),
        readable(bare.median()),
        crate::measure::ratio(times.median(), bare.median()),
        readable(cost),
    );
}
