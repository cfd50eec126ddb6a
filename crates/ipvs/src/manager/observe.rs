//! What the kernel has of ours, and whether that is as we know it.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Instant;

use portolan_core::Environment;
use portolan_netlink::ipvs::{Server, ServerKey};

use super::Manager;
use crate::error::IpvsError;
use crate::servers::{Known, Servers};

/// Servers whose destinations are compared in one call, which takes a few milliseconds.
const COMPARED_AT_ONCE: usize = 500;

impl Manager {
    /// Reads what there is, and sets right what leads connections to it that drain.
    pub(crate) fn repair(&mut self, environment: &Environment) -> Result<(), IpvsError> {
        self.observe()?;
        self.paths.set_networks(&environment.service_cidrs);
        Ok(self.paths.lead_all()?)
    }

    /// Reads what there is.
    pub(super) fn observe(&mut self) -> Result<(), IpvsError> {
        // Whom IPVS does not obey needs none of the rest.
        let servers = self.ipvs.servers()?;
        self.paths.look_for_former_marks()?;
        // Until the table gives ours, those are what it hands over.
        self.registry.let_in(self.paths.former_marks());
        self.registry.create()?;
        self.paths.create()?;
        self.incomplete = false;
        let registered = self.register_again(&servers)?;
        let mut ours = Vec::new();
        let mut foreign = BTreeSet::new();
        for server in servers {
            if registered.contains(&server.key) {
                self.schedulers.found(&server.scheduler, server.key);
                let destinations = self.ipvs.destinations(&server.key)?;
                ours.push((server, destinations));
            } else {
                foreign.insert(server.key);
            }
        }
        let before = std::mem::take(&mut self.servers);
        self.servers = Servers::observed(ours, foreign, Instant::now());
        self.servers.keep_waiting_since(&before);
        let ips: Vec<IpAddr> = self.servers.known().filter_map(|(key, _)| key.ip()).collect();
        self.paths.reset_addresses(ips.into_iter());
        // What was left to do is worked out anew: a destination may be wanted again.
        self.afterwards.clear();
        let gone: Vec<ServerKey> =
            registered.into_iter().filter(|key| !self.servers.has(key)).collect();
        self.registry.delete(&gone)?;
        Ok(())
    }

    /// The servers that are registered as ours. Those that we remember and that are as we
    /// made them become so again: others may have deleted the register, as `nft flush
    /// ruleset` does.
    fn register_again(&mut self, servers: &[Server]) -> Result<BTreeSet<ServerKey>, IpvsError> {
        let mut registered = self.registry.servers()?;
        let lost: Vec<(ServerKey, String)> = servers
            .iter()
            .filter(|server| !registered.contains(&server.key) && self.servers.is_known_as(server))
            .map(|server| (server.key, "registered again".to_owned()))
            .collect();
        self.registry.add(&lost)?;
        registered.extend(lost.into_iter().map(|(key, _)| key));
        Ok(registered)
    }

    /// Whether the kernel has all that makes packets reach IPVS.
    pub(crate) fn verify_paths(&self) -> Result<(), IpvsError> {
        if self.paths.is_complete() { Ok(()) } else { Err(IpvsError::NoPath) }
    }

    /// Whether the kernel has every virtual server that clients are to be led to.
    pub(crate) fn verify_servers(&mut self) -> Result<(), IpvsError> {
        let there: BTreeSet<ServerKey> =
            self.ipvs.servers()?.into_iter().map(|server| server.key).collect();
        let missing: Vec<&ServerKey> =
            self.servers.wanted_keys().filter(|key| !there.contains(key)).collect();
        match missing.first() {
            None => Ok(()),
            Some(first) => {
                Err(IpvsError::Incomplete { missing: missing.len(), example: first.to_string() })
            }
        }
    }

    /// Compares the destinations of the next few servers with those that we know. The kernel
    /// lists them server by server, so that all at once would keep changes waiting.
    pub(crate) fn compare_some(&mut self) -> Result<(), IpvsError> {
        let keys = self.servers.known_after(self.compared, COMPARED_AT_ONCE);
        for key in &keys {
            let states = self.ipvs.destinations(key)?;
            self.incomplete |= !self.servers.has_as_known(key, &states);
        }
        self.compared = keys.last().copied().filter(|_| keys.len() == COMPARED_AT_ONCE);
        Ok(())
    }

    /// Whether the kernel has the virtual servers, their rules and the paths that we know, as we
    /// know them, and as far as was found out had the destinations.
    pub(crate) fn is_undisturbed(&mut self) -> Result<bool, IpvsError> {
        if self.incomplete {
            return Ok(false);
        }
        let there: HashMap<ServerKey, _> =
            self.ipvs.servers()?.into_iter().map(|server| (server.key, server)).collect();
        let is_known = |(key, known): (&ServerKey, &Known)| there.get(key) == Some(&known.server);
        // One that another program had is ours to make when it is gone.
        let of_others = self.servers.wanted_of_others().all(|key| there.contains_key(key));
        let as_known = of_others && self.servers.known().all(is_known);
        Ok(as_known && self.registry.is_guarded()? && self.paths.is_undisturbed()?)
    }

    /// Whether packets of connections that drain still get there.
    pub(crate) fn paths_are_undisturbed(&mut self) -> Result<bool, IpvsError> {
        Ok(self.paths.is_undisturbed()?)
    }
}
