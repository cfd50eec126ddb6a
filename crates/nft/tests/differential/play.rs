//! Packets on the wire, and whether what became of them is what was predicted.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::thread::sleep;
use std::time::Duration;

use portolan_core::Protocol;
use portolan_lab::{Outcome, Probe, Refusal, Topology};

use crate::dice::Dice;
use crate::model::{Prediction, Seen, Verdict};
use crate::packet::{Origin, Packet};
use crate::world::{Addresses, NODE_PORT_RANGE};

/// A wait for silence lasts as long as this; an answer may take [`PATIENCE`].
const SILENCE: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(3);
/// A client whose endpoint went is free for another one after a tick of the kernel's clock.
const TICK: Duration = Duration::from_millis(30);

/// Enough to tell a rule that holds from one that does not.
const FEW: usize = 2;
/// With so many, masqueraded ports are all among those of a step by chance less than once in
/// ten million packets.
const FEW_PORTS: usize = 4;
/// With so many per endpoint, one of several endpoints is missed by chance less than once
/// in ten million packets.
const PER_ENDPOINT: usize = 20;
/// How many packets in a hundred are sent so often.
const THOROUGH: usize = 12;

/// A packet with its prediction and everything that was seen of it.
#[derive(Clone)]
pub(crate) struct Observed {
    pub(crate) packet: Packet,
    pub(crate) prediction: Prediction,
    pub(crate) outcomes: Vec<Outcome>,
    /// Whether it was sent so often that every endpoint must have been reached.
    thorough: bool,
}

/// Sends packets, each several times, and all at once but for those of clients that are to
/// stay where they are: these are sent one after the other.
pub(crate) fn send(
    topology: &Topology,
    dice: &mut Dice,
    packets: Vec<(Packet, Prediction)>,
) -> Vec<Observed> {
    let observe = |(packet, prediction): (Packet, Prediction)| {
        let thorough = dice.percent(THOROUGH);
        Observed { packet, prediction, outcomes: Vec::new(), thorough }
    };
    let mut observed: Vec<Observed> = packets.into_iter().map(observe).collect();
    // Waits for silence go together.
    observed.sort_by_key(|it| it.prediction.verdict == Verdict::Silent);
    send_at_once(topology, &mut observed);
    let sticky = |it: &&mut Observed| it.is_sticky();
    observed.iter_mut().filter(sticky).for_each(|it| it.send(topology, 1));
    sleep(TICK);
    observed.iter_mut().filter(sticky).for_each(|it| it.send(topology, it.count()));
    observed
}

fn send_at_once(topology: &Topology, observed: &mut [Observed]) {
    let mut free: Vec<&mut Observed> = observed.iter_mut().filter(|it| !it.is_sticky()).collect();
    let probes: Vec<Probe> = free.iter().flat_map(|it| vec![it.probe(); it.count()]).collect();
    let mut outcomes = topology.probe_all(&probes).into_iter();
    for one in &mut free {
        one.outcomes = outcomes.by_ref().take(one.count()).collect();
    }
}

impl Observed {
    /// Whether its client is to stay where it is.
    pub(crate) fn is_sticky(&self) -> bool {
        matches!(self.prediction.verdict, Verdict::Balanced { sticky: true, .. })
    }

    /// The same, as if something else had been predicted.
    pub(crate) fn predicted_by(&self, verdict: Verdict) -> Observed {
        let mut other = self.clone();
        other.prediction.verdict = verdict;
        other
    }

    /// Who answered, in the order of the questions.
    pub(crate) fn answers(&self) -> Vec<SocketAddr> {
        self.outcomes.iter().filter_map(Outcome::endpoint).collect()
    }

    /// Whether this is from the node and every endpoint sees a port that is not its own.
    fn is_masqueraded_node(&self) -> bool {
        let Verdict::Balanced { endpoints, .. } = &self.prediction.verdict else { return false };
        self.packet.origin() == Origin::Node && endpoints.values().all(|it| *it == Seen::Node)
    }

    fn are_seen_from(&self, ports: &RangeInclusive<u16>) -> bool {
        let mut sources = self.outcomes.iter().filter_map(Outcome::seen_source);
        sources.all(|source| ports.contains(&source.port()))
    }

    fn send(&mut self, topology: &Topology, times: usize) {
        let probe = self.probe();
        self.outcomes.extend((0..times).map(|_| topology.probe(&probe)));
    }

    fn count(&self) -> usize {
        match &self.prediction.verdict {
            Verdict::Balanced { endpoints, sticky: false }
                if self.thorough && endpoints.len() > 1 =>
            {
                endpoints.len() * PER_ENDPOINT
            }
            _ if self.is_masqueraded_node() => FEW_PORTS,
            _ => FEW,
        }
    }

    fn probe(&self) -> Probe {
        let Packet { source, protocol, destination } = self.packet;
        let protocol = match protocol {
            Protocol::Tcp => portolan_lab::Protocol::Tcp,
            Protocol::Udp => portolan_lab::Protocol::Udp,
            Protocol::Sctp => portolan_lab::Protocol::Sctp,
        };
        let silent = self.prediction.verdict == Verdict::Silent;
        let patience = if silent { SILENCE } else { PATIENCE };
        Probe::new(source, protocol, destination).within(patience)
    }

    /// Every way in which what was seen is not what was predicted.
    ///
    /// A process of the node that is masqueraded has a node's address before and after. That
    /// it was shows in the port, which is hardly ever one of `own_ports`, those that it was
    /// sent from.
    pub(crate) fn faults(
        &self,
        is_node: impl Fn(IpAddr) -> bool,
        own_ports: &RangeInclusive<u16>,
    ) -> BTreeSet<String> {
        let untouched = BTreeMap::from([(self.packet.destination, Seen::Client)]);
        let mut faults = BTreeSet::new();
        match &self.prediction.verdict {
            Verdict::Balanced { endpoints, sticky } => {
                self.judge_answers(endpoints, &is_node, &mut faults);
                let all: BTreeSet<_> = self.answers().into_iter().collect();
                if self.is_masqueraded_node() && self.are_seen_from(own_ports) {
                    faults.insert("never masqueraded, going by the ports seen".to_owned());
                }
                let often = !sticky && self.thorough;
                for missed in endpoints.keys().filter(|it| often && !all.contains(it)) {
                    let times = self.outcomes.len();
                    faults.insert(format!("{missed} never answered, asked {times} times"));
                }
            }
            Verdict::Untouched => self.judge_answers(&untouched, &is_node, &mut faults),
            Verdict::Left => {
                if !self.outcomes.iter().all(|it| self.is_turned_away(it)) {
                    self.judge_answers(&untouched, &is_node, &mut faults);
                }
            }
            Verdict::Refused => self.judge(|it| self.is_refusal(it), &mut faults),
            Verdict::Silent => self.judge(|it| *it == Outcome::Silent, &mut faults),
        }
        faults
    }

    fn judge(&self, is_right: impl Fn(&Outcome) -> bool, faults: &mut BTreeSet<String>) {
        let wrong = self.outcomes.iter().filter(|outcome| !is_right(outcome));
        faults.extend(wrong.map(without_ports));
    }

    fn judge_answers(
        &self,
        endpoints: &BTreeMap<SocketAddr, Seen>,
        is_node: impl Fn(IpAddr) -> bool,
        faults: &mut BTreeSet<String>,
    ) {
        self.judge(
            |outcome| {
                let Outcome::Answered { endpoint, seen_source } = outcome else { return false };
                match endpoints.get(endpoint) {
                    Some(Seen::Client) => seen_source.ip() == self.packet.source,
                    Some(Seen::Node) => {
                        is_node(seen_source.ip()) && !NODE_PORT_RANGE.contains(&seen_source.port())
                    }
                    None => false,
                }
            },
            faults,
        );
    }

    /// As what is for a virtual server and is not handed to it: refused by the node's own
    /// addresses, and dropped on the node's way to others.
    fn is_turned_away(&self, outcome: &Outcome) -> bool {
        let own = Addresses::of(self.packet.family()).node;
        match own.contains(&self.packet.destination.ip()) {
            true => self.is_refusal(outcome),
            false => *outcome == Outcome::Silent,
        }
    }

    /// TCP is reset, whatever the way; of other protocols ICMP says so.
    fn is_refusal(&self, outcome: &Outcome) -> bool {
        let expected = match self.packet.protocol {
            Protocol::Tcp => Refusal::Reset,
            Protocol::Udp | Protocol::Sctp => Refusal::Icmp,
        };
        *outcome == Outcome::Refused(expected)
    }
}

/// The same text for the same fault, whatever the port it was sent from.
fn without_ports(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answered { endpoint, seen_source } => {
            let source = seen_source.ip();
            let from = match NODE_PORT_RANGE.contains(&seen_source.port()) {
                true => format!("a NodePort of {source}"),
                false => source.to_string(),
            };
            format!("answered by {endpoint}, which saw {from}")
        }
        other => format!("{other:?}"),
    }
}
