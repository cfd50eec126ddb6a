use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::thread::sleep;
use std::time::Duration;

use super::data::Ask;
use super::packets::wrong_source;
use super::play::{PATIENCE, Play};
use crate::{Probe, Topology};

/// A client that was just remembered is known a tick of the kernel's clock later.
const TICK: Duration = Duration::from_millis(50);

impl Play {
    /// Lets clients ask; returns what is wrong with the answers.
    pub(super) fn ask(&mut self, ask: &Ask, topology: &Topology) -> Vec<String> {
        let mut faults = Vec::new();
        let mut answers = BTreeMap::new();
        for client in &ask.from {
            match ask.answers(*client, topology) {
                Ok(answered) => {
                    faults.extend(ask.unfit(*client, &answered));
                    answers.extend(answered.first().map(|endpoint| (*client, *endpoint)));
                }
                Err(fault) => faults.push(format!("{} {fault}", ask.describe(*client))),
            }
        }
        if let Some(name) = &ask.same_as {
            let before = self.remembered.get(name);
            let changed = answers.iter().filter(|(client, answer)| {
                before.and_then(|before| before.get(client)) != Some(answer)
            });
            faults.extend(changed.map(|(client, answer)| {
                format!("{} is answered by {answer} and not as {name}", ask.describe(*client))
            }));
        }
        if let Some(name) = &ask.unlike
            && self.remembered.get(name) == Some(&answers)
        {
            faults.push(format!("all get the endpoints that they got as {name}: {answers:?}"));
        }
        if let Some(name) = &ask.remember {
            self.remembered.insert(name.clone(), answers);
        }
        faults
    }
}

impl Ask {
    /// Who answers a client, as often as it asks.
    fn answers(&self, client: IpAddr, topology: &Topology) -> Result<BTreeSet<IpAddr>, String> {
        let destination = SocketAddr::new(self.to, self.port);
        let probe = Probe::new(client, self.protocol, destination).within(PATIENCE);
        let probe = probe.from_port(self.source_port.unwrap_or(0));
        let mut answers = BTreeSet::new();
        for number in 0..self.times {
            if number == 1 {
                sleep(TICK);
            }
            let outcome = topology.probe(&probe);
            let (Some(endpoint), Some(seen)) = (outcome.endpoint(), outcome.seen_source()) else {
                return Err(format!("gets no answer: {outcome:?}"));
            };
            let is_node = |ip| topology.is_node_address(ip);
            if let Some(fault) = wrong_source(client, self.masqueraded, seen, is_node) {
                return Err(fault);
            }
            answers.insert(endpoint.ip());
        }
        Ok(answers)
    }

    fn unfit(&self, client: IpAddr, answered: &BTreeSet<IpAddr>) -> Option<String> {
        let fits = answered.len() == 1 && answered.iter().all(|it| self.among.contains(it));
        let among = &self.among;
        let client = self.describe(client);
        (!fits).then(|| format!("{client} is answered by {answered:?} and not by one of {among:?}"))
    }

    fn describe(&self, client: IpAddr) -> String {
        format!("{} asked by {client} over {}", SocketAddr::new(self.to, self.port), self.protocol)
    }
}
