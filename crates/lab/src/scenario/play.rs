use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Expected, Packet, Phase};
use crate::{Outcome, Probe, Protocol, Refusal, Topology};

/// A wait for silence lasts as long as this; an answer may take [`PATIENCE`].
const SILENCE: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(5);

/// Enough to tell a rule that holds from one that does not.
const FEW: usize = 3;
/// With so many per endpoint, one of several endpoints is missed by chance less than once
/// in ten million packets.
const PER_ENDPOINT: usize = 20;

/// What was seen of a packet, sent several times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation<'a> {
    /// The packet.
    pub packet: &'a Packet,
    /// What became of each time that it was sent.
    pub outcomes: Vec<Outcome>,
    /// Every way in which that is not what must become of it; empty if all is well.
    pub faults: Vec<String>,
}

impl Phase {
    /// Sends the packets, each several times and all at once, to a node that has been
    /// programmed for this phase, and compares. The topology is that of
    /// [`Scenario::topology`](super::Scenario::topology).
    #[must_use]
    pub fn play(&self, topology: &Topology) -> Vec<Observation<'_>> {
        let probes: Vec<_> = self.packets.iter().flat_map(repeated).collect();
        let mut outcomes = topology.probe_all(&probes).into_iter();
        let observe = |packet| {
            let outcomes: Vec<_> = outcomes.by_ref().take(repeated(packet).len()).collect();
            let faults = faults(packet, &outcomes, |ip| topology.is_node_address(ip));
            Observation { packet, outcomes, faults }
        };
        self.packets.iter().map(observe).collect()
    }
}

impl Observation<'_> {
    /// The endpoints that answered.
    #[must_use]
    pub fn endpoints(&self) -> BTreeSet<SocketAddr> {
        self.outcomes.iter().filter_map(Outcome::endpoint).collect()
    }

    /// The source addresses that they saw.
    #[must_use]
    pub fn seen_sources(&self) -> BTreeSet<IpAddr> {
        let sources = self.outcomes.iter().filter_map(Outcome::seen_source);
        sources.map(|source| source.ip()).collect()
    }
}

fn repeated(packet: &Packet) -> Vec<Probe> {
    let destination = SocketAddr::new(packet.destination, packet.port);
    let timeout = if packet.expected == Expected::Drop { SILENCE } else { PATIENCE };
    let probe = Probe::new(packet.source, packet.protocol, destination).within(timeout);
    let count = match packet.endpoints.len() {
        0 | 1 => FEW,
        endpoints => endpoints * PER_ENDPOINT,
    };
    vec![probe; count]
}

fn faults(packet: &Packet, outcomes: &[Outcome], is_node: impl Fn(IpAddr) -> bool) -> Vec<String> {
    let endpoints: BTreeSet<SocketAddr> = match packet.expected {
        Expected::Dnat => packet.endpoints.iter().copied().collect(),
        Expected::Untouched => [SocketAddr::new(packet.destination, packet.port)].into(),
        Expected::Reject | Expected::Drop => BTreeSet::new(),
    };
    let mut faults = BTreeSet::new();
    let mut missing = endpoints.clone();
    for outcome in outcomes {
        match (packet.expected, outcome) {
            (Expected::Reject, Outcome::Refused(Refusal::Icmp))
            | (Expected::Drop, Outcome::Silent) => {}
            (Expected::Reject, Outcome::Refused(Refusal::Reset))
                if packet.protocol == Protocol::Tcp => {}
            (Expected::Dnat | Expected::Untouched, Outcome::Answered { endpoint, seen_source }) => {
                missing.remove(endpoint);
                if !endpoints.contains(endpoint) {
                    faults.insert(format!("was answered by {endpoint}"));
                }
                faults.extend(wrong_source(packet, seen_source.ip(), &is_node));
            }
            (expected, outcome) => {
                faults.insert(format!("expected {expected:?}, seen {}", outcome.without_ports()));
            }
        }
    }
    faults.extend(missing.iter().map(|endpoint| format!("never reached {endpoint}")));
    faults.into_iter().collect()
}

fn wrong_source(packet: &Packet, seen: IpAddr, is_node: impl Fn(IpAddr) -> bool) -> Option<String> {
    let right = if packet.masqueraded { is_node(seen) } else { seen == packet.source };
    let wanted = if packet.masqueraded { "a node address" } else { "its own" };
    (!right).then(|| format!("was seen as coming from {seen} and not from {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "192.168.0.2";

    fn packet(expected: Expected, endpoints: &[&str], masqueraded: bool) -> Packet {
        Packet {
            description: "pod to ClusterIP".to_owned(),
            source: "10.0.0.2".parse().unwrap(),
            protocol: Protocol::Tcp,
            destination: "172.30.0.41".parse().unwrap(),
            port: 80,
            expected,
            endpoints: endpoints.iter().map(|text| text.parse().unwrap()).collect(),
            masqueraded,
        }
    }

    fn answer(endpoint: &str, seen_source: &str) -> Outcome {
        Outcome::Answered {
            endpoint: endpoint.parse().unwrap(),
            seen_source: format!("{seen_source}:4711").parse().unwrap(),
        }
    }

    fn judge(packet: &Packet, outcomes: &[Outcome]) -> Vec<String> {
        faults(packet, outcomes, |address| address.to_string() == NODE)
    }

    #[test]
    fn what_is_expected_has_no_faults() {
        let both = ["10.180.0.1:80", "10.180.1.1:80"];
        for (masqueraded, source) in [(false, "10.0.0.2"), (true, NODE)] {
            let packet = packet(Expected::Dnat, &both, masqueraded);
            assert!(judge(&packet, &both.map(|endpoint| answer(endpoint, source))).is_empty());
        }
        for (expected, outcome) in [
            (Expected::Untouched, answer("172.30.0.41:80", "10.0.0.2")),
            (Expected::Reject, Outcome::Refused(Refusal::Icmp)),
            (Expected::Reject, Outcome::Refused(Refusal::Reset)),
            (Expected::Drop, Outcome::Silent),
        ] {
            assert!(judge(&packet(expected, &[], false), &[outcome]).is_empty());
        }
    }

    #[test]
    fn an_endpoint_too_few_or_too_many_is_a_fault() {
        let packet = packet(Expected::Dnat, &["10.180.0.1:80", "10.180.1.1:80"], false);
        let outcomes = [answer("10.180.0.1:80", "10.0.0.2"), answer("10.180.9.9:80", "10.0.0.2")];
        let expected = ["never reached 10.180.1.1:80", "was answered by 10.180.9.9:80"];
        assert_eq!(judge(&packet, &outcomes), expected);
    }

    #[test]
    fn a_source_that_should_or_should_not_be_masqueraded_is_a_fault() {
        for (masqueraded, seen, wanted) in
            [(false, NODE, "its own"), (true, "10.0.0.2", "a node address")]
        {
            let packet = packet(Expected::Dnat, &["10.180.0.1:80"], masqueraded);
            let expected = [format!("was seen as coming from {seen} and not from {wanted}")];
            assert_eq!(judge(&packet, &[answer("10.180.0.1:80", seen)]), expected);
        }
    }

    #[test]
    fn every_other_outcome_is_a_fault() {
        let reset = Outcome::Refused(Refusal::Reset);
        let answered = answer("172.30.0.41:80", "10.0.0.2");
        for (expected, outcome) in [
            (Expected::Reject, Outcome::Silent),
            (Expected::Reject, answered.clone()),
            (Expected::Drop, Outcome::Refused(Refusal::Icmp)),
            (Expected::Drop, answered),
            (Expected::Untouched, Outcome::Silent),
            (Expected::Dnat, reset),
            (Expected::Dnat, Outcome::Failed("no route".to_owned())),
        ] {
            let faults = judge(&packet(expected, &[], false), std::slice::from_ref(&outcome));
            assert!(!faults.is_empty(), "{expected:?} {outcome:?}");
        }
    }
}
