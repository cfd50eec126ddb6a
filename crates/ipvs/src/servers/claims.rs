//! Who wants which virtual server.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use portolan_core::ObjectName;
use portolan_netlink::ipvs::ServerKey;

use crate::wanted::Wanted;

/// Those that have the address for themselves come first, then it goes by name.
type Claimant = (bool, ObjectName);

/// What Services want. Of several that want the same server the first has it.
#[derive(Debug, Default)]
pub(super) struct Claims {
    by_server: HashMap<ServerKey, BTreeMap<Claimant, Wanted>>,
    /// How many claims ask for each scheduler.
    asked: BTreeMap<String, usize>,
}

impl Claims {
    /// A Service wants a server.
    pub(super) fn add(&mut self, service: &ObjectName, wanted: Wanted) {
        let claimant = (wanted.is_node_port, service.clone());
        match self.asked.get_mut(&wanted.server.scheduler) {
            Some(count) => *count += 1,
            None => drop(self.asked.insert(wanted.server.scheduler.clone(), 1)),
        }
        let before = self.by_server.entry(wanted.server.key).or_default().insert(claimant, wanted);
        self.asks_no_longer(before);
    }

    /// A Service no longer wants a server.
    pub(super) fn remove(&mut self, service: &ObjectName, wanted: &Wanted) {
        let key = wanted.server.key;
        if let Some(claims) = self.by_server.get_mut(&key) {
            let gone = claims.remove(&(wanted.is_node_port, service.clone()));
            if claims.is_empty() {
                self.by_server.remove(&key);
            }
            self.asks_no_longer(gone);
        }
    }

    fn asks_no_longer(&mut self, gone: Option<Wanted>) {
        let Some(Wanted { server, .. }) = gone else { return };
        if let Some(count) = self.asked.get_mut(&server.scheduler) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.asked.remove(&server.scheduler);
            }
        }
    }

    /// What a server has to be for those who have it.
    pub(super) fn of(&self, key: &ServerKey) -> Option<&Wanted> {
        self.by_server.get(key)?.values().next()
    }

    /// The same, if new connections go anywhere.
    pub(super) fn serving(&self, key: &ServerKey) -> Option<&Wanted> {
        self.of(key).filter(|wanted| !wanted.destinations.is_empty())
    }

    /// The servers that somebody wants.
    pub(super) fn keys(&self) -> impl Iterator<Item = &ServerKey> {
        self.by_server.keys()
    }

    /// Those of them that serve with one of these schedulers. Walks all.
    pub(super) fn with_scheduler(&self, schedulers: &BTreeSet<String>) -> BTreeSet<ServerKey> {
        let asks = |key: &&ServerKey| {
            self.serving(key).is_some_and(|it| schedulers.contains(&it.server.scheduler))
        };
        self.keys().filter(asks).copied().collect()
    }

    /// Whether a Service asks for a scheduler.
    pub(super) fn is_asked_for(&self, scheduler: &str) -> bool {
        self.asked.contains_key(scheduler)
    }
}
