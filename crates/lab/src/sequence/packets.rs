use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::data::{Expected, Packet};
use super::play::{PATIENCE, Play, SILENCE};
use crate::{Outcome, Probe, Protocol, Refusal, Topology};

/// Enough to tell a rule that holds from one that does not.
const FEW: usize = 3;
/// With so many per endpoint, one of several endpoints is missed by chance less than once
/// in ten million packets.
const PER_ENDPOINT: usize = 20;
/// kube-apiserver's default; what is masqueraded must not look like a NodePort.
const NODE_PORTS: std::ops::RangeInclusive<u16> = 30_000..=32_767;

impl Play {
    /// Sends the packets, all at once; returns what is wrong.
    pub(super) fn send_packets(&mut self, packets: &[Packet], topology: &Topology) -> Vec<String> {
        let probes: Vec<Vec<Probe>> = packets
            .iter()
            .map(|packet| packet.probes(|| self.fresh_port(packet.protocol)))
            .collect();
        let mut outcomes = topology.probe_all(&probes.concat()).into_iter();
        let mut faults = Vec::new();
        for (packet, probes) in packets.iter().zip(probes) {
            let outcomes: Vec<_> = outcomes.by_ref().take(probes.len()).collect();
            let seen = packet.faults(&outcomes, |ip| topology.is_node_address(ip));
            faults.extend(seen.into_iter().map(|fault| format!("{packet} {fault}")));
            if let Some(name) = &packet.open {
                faults.extend(self.open(name, packet, topology));
            }
        }
        faults
    }

    fn open(&mut self, name: &str, packet: &Packet, topology: &Topology) -> Option<String> {
        match topology.connect(packet.from, packet.destination(), PATIENCE) {
            Ok(connection) => {
                self.connections.insert(name.to_owned(), connection);
                None
            }
            Err(outcome) => Some(format!("{packet} cannot be kept open: {outcome:?}")),
        }
    }
}

impl Packet {
    fn destination(&self) -> SocketAddr {
        SocketAddr::new(self.to, self.port)
    }

    fn probes(&self, mut fresh_port: impl FnMut() -> u16) -> Vec<Probe> {
        let timeout = if self.then == Expected::Silent { SILENCE } else { PATIENCE };
        let probe = Probe::new(self.from, self.protocol, self.destination()).within(timeout);
        let count = self.times.unwrap_or(match &self.then {
            Expected::Answered(endpoints) if endpoints.len() > 1 => endpoints.len() * PER_ENDPOINT,
            _ => FEW,
        });
        let ports = (0..).map(|number| match self.source_port {
            Some(first) => first + number,
            None => fresh_port(),
        });
        ports.take(count).map(|port| probe.from_port(port)).collect()
    }

    fn endpoints(&self) -> BTreeSet<SocketAddr> {
        match &self.then {
            Expected::Answered(endpoints) => {
                endpoints.iter().map(|ip| SocketAddr::new(*ip, self.target_port)).collect()
            }
            Expected::Untouched => [self.destination()].into(),
            Expected::Refused | Expected::Silent => BTreeSet::new(),
        }
    }

    fn faults(&self, outcomes: &[Outcome], is_node: impl Fn(IpAddr) -> bool) -> BTreeSet<String> {
        let endpoints = self.endpoints();
        let mut missing = endpoints.clone();
        let mut faults = BTreeSet::new();
        for outcome in outcomes {
            match (&self.then, outcome) {
                (Expected::Refused, Outcome::Refused(refusal)) if *refusal == self.refusal() => {}
                (Expected::Silent, Outcome::Silent) => {}
                (
                    Expected::Answered(_) | Expected::Untouched,
                    Outcome::Answered { endpoint, seen_source },
                ) => {
                    missing.remove(endpoint);
                    if !endpoints.contains(endpoint) {
                        faults.insert(format!("was answered by {endpoint}"));
                    }
                    faults.extend(wrong_source(
                        self.from,
                        self.masqueraded,
                        *seen_source,
                        &is_node,
                    ));
                }
                (expected, outcome) => {
                    faults
                        .insert(format!("should be {expected:?}, is {}", outcome.without_ports()));
                }
            }
        }
        faults.extend(missing.iter().map(|endpoint| format!("never reached {endpoint}")));
        faults
    }

    fn refusal(&self) -> Refusal {
        if self.protocol == Protocol::Tcp { Refusal::Reset } else { Refusal::Icmp }
    }
}

impl std::fmt::Display for Packet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} from {} to {}", self.protocol, self.from, self.destination())
    }
}

/// What is wrong with the source that an endpoint saw.
pub(super) fn wrong_source(
    from: IpAddr,
    masqueraded: bool,
    seen: SocketAddr,
    is_node: impl Fn(IpAddr) -> bool,
) -> Option<String> {
    let ip = seen.ip();
    match (masqueraded, is_node(ip)) {
        (true, false) => Some(format!("was seen as coming from {ip} and not from the node")),
        (true, true) if NODE_PORTS.contains(&seen.port()) => {
            Some(format!("was seen as coming from the NodePort {}", seen.port()))
        }
        (false, _) if ip != from => Some(format!("was seen as coming from {ip} and not its own")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = "192.168.0.2";

    fn packet(then: &str, masqueraded: bool) -> Packet {
        let text = format!(
            "{{from: 10.0.0.2, to: 172.30.0.41, then: {then}, masqueraded: {masqueraded}}}"
        );
        serde_saphyr::from_str(&text).unwrap()
    }

    fn answer(endpoint: &str, seen_source: &str) -> Outcome {
        Outcome::Answered {
            endpoint: endpoint.parse().unwrap(),
            seen_source: seen_source.parse().unwrap(),
        }
    }

    fn judge(packet: &Packet, outcomes: &[Outcome]) -> Vec<String> {
        packet.faults(outcomes, |address| address.to_string() == NODE).into_iter().collect()
    }

    #[test]
    fn what_is_expected_has_no_faults() {
        let udp = Packet { protocol: Protocol::Udp, ..packet("refused", false) };
        for (packet, outcome) in [
            (packet("[10.0.1.1]", false), answer("10.0.1.1:8080", "10.0.0.2:31000")),
            (packet("[10.0.1.1]", true), answer("10.0.1.1:8080", "192.168.0.2:4711")),
            (packet("untouched", false), answer("172.30.0.41:80", "10.0.0.2:4711")),
            (packet("refused", false), Outcome::Refused(Refusal::Reset)),
            (udp, Outcome::Refused(Refusal::Icmp)),
            (packet("silent", false), Outcome::Silent),
        ] {
            assert_eq!(judge(&packet, std::slice::from_ref(&outcome)), [""; 0], "{outcome:?}");
        }
    }

    #[test]
    fn every_other_outcome_is_a_fault() {
        for (packet, outcome) in [
            (packet("[10.0.1.1]", false), answer("10.0.1.1:80", "10.0.0.2:4711")),
            (packet("[10.0.1.1]", false), answer("10.0.1.2:8080", "10.0.0.2:4711")),
            (packet("[10.0.1.1]", false), answer("10.0.1.1:8080", "192.168.0.2:4711")),
            (packet("[10.0.1.1]", true), answer("10.0.1.1:8080", "10.0.0.2:4711")),
            (packet("[10.0.1.1]", true), answer("10.0.1.1:8080", "192.168.0.2:31000")),
            (packet("[10.0.1.1, 10.0.1.2]", true), answer("10.0.1.1:8080", "192.168.0.2:4711")),
            (packet("[10.0.1.1]", false), Outcome::Silent),
            (packet("untouched", false), Outcome::Refused(Refusal::Reset)),
            (packet("refused", false), Outcome::Refused(Refusal::Icmp)),
            (packet("refused", false), Outcome::Silent),
            (packet("refused", false), answer("172.30.0.41:80", "10.0.0.2:4711")),
            (packet("silent", false), Outcome::Refused(Refusal::Reset)),
            (packet("silent", false), answer("172.30.0.41:80", "10.0.0.2:4711")),
        ] {
            let faults = judge(&packet, std::slice::from_ref(&outcome));
            assert!(!faults.is_empty(), "{packet} {outcome:?}");
        }
    }
}
