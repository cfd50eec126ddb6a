use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::Duration;

use serde::Deserialize;

use super::attempt;
use crate::Topology;

/// Enough for a packet to travel through a lab on a busy machine, short enough to wait
/// for where silence is expected.
const DEFAULT_TIMEOUT: Duration = Duration::from_millis(300);

/// Each probe under way takes a thread.
const CONCURRENT_PROBES: usize = 64;

/// A transport protocol that a Service port can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// A connection is opened, and the server speaks first.
    Tcp,
    /// One datagram each way.
    Udp,
    /// The first two packets of an association, by raw sockets.
    Sctp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        })
    }
}

/// A question from somewhere to somewhere: who answers?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Source address; the probe is sent by the host that has it.
    pub source: IpAddr,
    /// Its protocol.
    pub protocol: Protocol,
    /// Where it is sent to, which need not exist.
    pub destination: SocketAddr,
    /// The port it is sent from, in host byte order; 0 for the kernel's choice. SCTP probes
    /// always choose one of their own.
    pub source_port: u16,
    /// How long to wait for an answer.
    pub timeout: Duration,
}

/// What became of a [`Probe`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A server answered.
    Answered {
        /// The server's own address and port.
        endpoint: SocketAddr,
        /// Where the probe came from, as the server saw it.
        seen_source: SocketAddr,
    },
    /// The attempt was turned down at once.
    Refused(Refusal),
    /// Nothing was heard within the timeout.
    Silent,
    /// Anything else, in words.
    Failed(String),
}

/// How an attempt was turned down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// By the destination's protocol: a TCP reset or an SCTP ABORT.
    Reset,
    /// By an ICMP "unreachable" message, as a packet filter's `reject` sends it. A host
    /// without a listener also does that for UDP and for raw SCTP.
    Icmp,
}

impl Probe {
    /// A probe that waits for 300 ms.
    #[must_use]
    pub fn new(
        source: impl Into<IpAddr>,
        protocol: Protocol,
        destination: impl Into<SocketAddr>,
    ) -> Self {
        let (source, destination) = (source.into(), destination.into());
        Self { source, protocol, destination, source_port: 0, timeout: DEFAULT_TIMEOUT }
    }

    /// The same probe with another patience.
    #[must_use]
    pub fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The same probe from another port.
    #[must_use]
    pub fn from_port(self, source_port: u16) -> Self {
        Self { source_port, ..self }
    }
}

impl Outcome {
    /// The same text for the same outcome, whatever the port that the probe was sent from.
    pub(crate) fn without_ports(&self) -> String {
        match self {
            Self::Answered { endpoint, seen_source } => {
                format!("an answer of {endpoint} to {}", seen_source.ip())
            }
            other => format!("{other:?}"),
        }
    }

    /// The endpoint that answered, if one did.
    #[must_use]
    pub fn endpoint(&self) -> Option<SocketAddr> {
        match self {
            Self::Answered { endpoint, .. } => Some(*endpoint),
            Self::Refused(_) | Self::Silent | Self::Failed(_) => None,
        }
    }

    /// The source address that the endpoint saw, if one answered.
    #[must_use]
    pub fn seen_source(&self) -> Option<SocketAddr> {
        match self {
            Self::Answered { seen_source, .. } => Some(*seen_source),
            Self::Refused(_) | Self::Silent | Self::Failed(_) => None,
        }
    }
}

impl Topology {
    /// Sends one probe and waits for its outcome.
    #[must_use]
    pub fn probe(&self, probe: &Probe) -> Outcome {
        match self.host_of(probe.source) {
            Ok(host) => host.run(|| attempt::outcome(probe)),
            Err(error) => Outcome::Failed(error.to_string()),
        }
    }

    /// Sends many probes at a time; the outcomes are in the order of the probes.
    #[must_use]
    pub fn probe_all(&self, probes: &[Probe]) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(probes.len());
        for some in probes.chunks(CONCURRENT_PROBES) {
            thread::scope(|scope| {
                let under_way: Vec<_> =
                    some.iter().map(|probe| scope.spawn(|| self.probe(probe))).collect();
                outcomes.extend(under_way.into_iter().map(|one| match one.join() {
                    Ok(outcome) => outcome,
                    Err(panic) => std::panic::resume_unwind(panic),
                }));
            });
        }
        outcomes
    }

    /// Sends the same probe `count` times at once.
    #[must_use]
    pub fn probe_repeatedly(&self, probe: &Probe, count: usize) -> Vec<Outcome> {
        self.probe_all(&vec![*probe; count])
    }
}
