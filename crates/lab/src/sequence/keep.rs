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
            let fresh_port = || self.fresh_port(ask.protocol);
            match ask.answers(*client, topology, fresh_port) {
                Ok(answered) => {
                    faults.extend(ask.unfit(*client, &answered));
                    faults.extend(self.forbidden(ask, *client, &answered));
                    answers.extend(answered.last().map(|endpoint| (*client, *endpoint)));
                }
                Err(fault) => faults.push(format!("{} {fault}", ask.describe(*client))),
            }
        }
        faults.extend(self.compare(ask, &answers));
        if let Some(name) = &ask.remember {
            self.remembered.insert(name.clone(), answers);
        }
        faults
    }

    fn forbidden(&self, ask: &Ask, client: IpAddr, answered: &[IpAddr]) -> Option<String> {
        let never = self.remembered.get(ask.never.as_ref()?);
        let mut never = never.into_iter().flat_map(BTreeMap::values);
        let endpoint = never.find(|endpoint| answered.contains(endpoint))?;
        Some(format!("{} is answered by {endpoint}, which has gone", ask.describe(client)))
    }

    /// What is wrong with the answers beside what was answered before.
    fn compare(&self, ask: &Ask, answers: &BTreeMap<IpAddr, IpAddr>) -> Vec<String> {
        let before = |name, client| self.remembered.get(name)?.get(client).copied();
        let mut faults = Vec::new();
        if let Some(name) = &ask.same_as {
            let exempt = ask.except.as_ref().and_then(|name| self.remembered.get(name));
            let exempt: BTreeSet<IpAddr> =
                exempt.into_iter().flat_map(BTreeMap::values).copied().collect();
            for (client, answer) in answers {
                let kept = before(name, client);
                let is_exempt = kept.is_some_and(|kept| exempt.contains(&kept));
                if kept != Some(*answer) && !is_exempt {
                    let client = ask.describe(*client);
                    faults.push(format!("{client} is answered by {answer} and not by {kept:?}"));
                }
            }
        }
        if let Some(name) = &ask.unlike
            && answers.iter().all(|(client, answer)| before(name, client) == Some(*answer))
        {
            faults.push(format!("all get the endpoints that they got as {name}: {answers:?}"));
        }
        faults
    }
}

impl Ask {
    /// Who answers a client, one time after the other.
    fn answers(
        &self,
        client: IpAddr,
        topology: &Topology,
        mut fresh_port: impl FnMut() -> u16,
    ) -> Result<Vec<IpAddr>, String> {
        let destination = SocketAddr::new(self.to, self.port);
        let probe = Probe::new(client, self.protocol, destination).within(PATIENCE);
        let mut answers = Vec::new();
        for number in 0..self.times + usize::from(self.settles) {
            if number == 1 {
                sleep(TICK);
            }
            let port = self.source_port.unwrap_or_else(&mut fresh_port);
            let outcome = topology.probe(&probe.from_port(port));
            let (Some(endpoint), Some(seen)) = (outcome.endpoint(), outcome.seen_source()) else {
                return Err(format!("gets no answer: {outcome:?}"));
            };
            let is_node = |ip| topology.is_node_address(ip);
            if let Some(fault) = wrong_source(client, self.masqueraded, seen, is_node) {
                return Err(fault);
            }
            answers.push(endpoint.ip());
        }
        Ok(answers)
    }

    fn unfit(&self, client: IpAddr, answered: &[IpAddr]) -> Option<String> {
        let among = &self.among;
        let settled = answered.get(usize::from(self.settles)..).unwrap_or_default();
        let same = settled.iter().all(|it| Some(it) == settled.first());
        let fits = same && answered.iter().all(|it| among.contains(it));
        let client = self.describe(client);
        (!fits).then(|| format!("{client} is answered by {answered:?} and not by one of {among:?}"))
    }

    fn describe(&self, client: IpAddr) -> String {
        format!("{} asked by {client} over {}", SocketAddr::new(self.to, self.port), self.protocol)
    }
}
