//! What a connection through a service costs over one straight to the pod.

mod client;

use std::io;
use std::net::{IpAddr, SocketAddr};

use anyhow::Context as _;
use portolan_lab::Topology;

use self::client::{Act, BLOCK, ask, block, connect, rate};
use super::Run;
use super::names::{CONNECT, CONNECT_AFFINITY, CONNECT_SERVICE, DATAGRAM, DATAGRAM_PAST};
use crate::arms::DIRECT;
use crate::figures::{Metric, Recorder};
use crate::processors::{of_traffic, on};
use crate::session::{CLIENT, POD, PORT, Session, node};

/// Acts of one kind, and where they go on a node with rules.
struct Kind<const N: usize> {
    act: Act,
    /// What they are called on a node without rules.
    direct: &'static str,
    names: [&'static str; N],
    addresses: [SocketAddr; N],
}

impl Run<'_> {
    /// Connects from one pod of a node to another: on a node without rules or connection
    /// tracking, straight past the rules, through a ClusterIP, and through one with session
    /// affinity that remembers the client.
    pub(super) fn connections(&mut self, session: &Session<'_>) -> anyhow::Result<()> {
        self.say("connections");
        let [service, affinity, _] = session.targets;
        self.compare(
            session,
            &Kind {
                act: connect,
                direct: CONNECT,
                names: [CONNECT, CONNECT_SERVICE, CONNECT_AFFINITY],
                addresses: [straight(), service, affinity],
            },
        )
    }

    /// Asks and is answered over UDP, with a socket of its own each time as resolvers do.
    pub(super) fn datagrams(&mut self, session: &Session<'_>) -> anyhow::Result<()> {
        self.say("datagrams");
        let [_, _, service] = session.targets;
        self.compare(
            session,
            &Kind {
                act: ask,
                direct: DATAGRAM,
                names: [DATAGRAM_PAST, DATAGRAM],
                addresses: [straight(), service],
            },
        )
    }

    /// Both nodes have their turns, and the one that is first changes.
    fn compare<const N: usize>(
        &mut self,
        session: &Session<'_>,
        kind: &Kind<N>,
    ) -> anyhow::Result<()> {
        let bare = node()?;
        for round in 0..self.load.connections.div_ceil(BLOCK) {
            let mut ruled = [true, false];
            ruled.rotate_left(round as usize % 2);
            for ruled in ruled {
                match ruled {
                    true => self.ruled(session, kind)?,
                    false => self.direct(&bare, kind)?,
                }
            }
        }
        self.rates(session, &bare, kind)
    }

    fn ruled<const N: usize>(
        &mut self,
        session: &Session<'_>,
        kind: &Kind<N>,
    ) -> anyhow::Result<()> {
        let times = at_client(&session.topology, || block(kind.act, kind.addresses));
        let times = times.with_context(|| self.complaint(session))?;
        for (name, times) in kind.names.into_iter().zip(times) {
            times.into_iter().for_each(|time| self.recorder().time(name, time));
        }
        Ok(())
    }

    fn direct<const N: usize>(&mut self, bare: &Topology, kind: &Kind<N>) -> anyhow::Result<()> {
        let times = at_client(bare, || block(kind.act, [straight()])).context(FAILED)?;
        let mut recorder = Recorder { arm: DIRECT, ..self.recorder() };
        times.into_iter().flatten().for_each(|time| recorder.time(kind.direct, time));
        Ok(())
    }

    /// What several clients at once bring about, through each address by itself.
    fn rates<const N: usize>(
        &mut self,
        session: &Session<'_>,
        bare: &Topology,
        kind: &Kind<N>,
    ) -> anyhow::Result<()> {
        let direct = at_client(bare, || rate(kind.act, straight())).context(FAILED)?;
        let mut recorder = Recorder { arm: DIRECT, ..self.recorder() };
        recorder.record(kind.direct, Metric::Rate, direct);
        for (name, address) in kind.names.into_iter().zip(kind.addresses) {
            let rate = at_client(&session.topology, || rate(kind.act, address));
            let rate = rate.with_context(|| self.complaint(session))?;
            self.recorder().record(name, Metric::Rate, rate);
        }
        Ok(())
    }

    fn complaint(&self, session: &Session<'_>) -> String {
        format!("{FAILED}, with {}\n{}", self.arm.name, session.output())
    }
}

const FAILED: &str = "traffic inside the lab";

fn straight() -> SocketAddr {
    SocketAddr::new(IpAddr::from(POD), PORT)
}

/// Acts as the client of a node, on the processor that its servers have too.
fn at_client<R: Send>(
    node: &Topology,
    work: impl FnOnce() -> io::Result<R> + Send,
) -> anyhow::Result<R> {
    let processor = of_traffic()?;
    Ok(node.host_of(IpAddr::from(CLIENT))?.run(|| on(processor, work))??)
}
