//! A kernel whose IPVS is a map.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use nix::errno::Errno;
use portolan_netlink::ipvs::{
    Destination, DestinationState, Failure, Operation, Server, ServerKey, Timeouts,
};
use portolan_netlink::{NetlinkError, Refusal};

use crate::kernel::Kernel;

/// All who have it see the same.
#[derive(Clone, Debug, Default)]
pub(super) struct FakeKernel(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) servers: BTreeMap<ServerKey, (Server, BTreeMap<SocketAddr, u32>)>,
    /// Schedulers that it has no module for.
    pub(super) lacks: BTreeSet<String>,
    /// What it was asked for that it lacks.
    pub(super) asked_in_vain: usize,
    /// Connections of each destination.
    pub(super) connections: u32,
    /// It answers no request to change anything.
    pub(super) is_silent: bool,
    /// It answers no request to list anything.
    pub(super) is_unreadable: bool,
}

impl FakeKernel {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn check_readable(&self) -> Result<(), NetlinkError> {
        if self.is_unreadable {
            return Err(NetlinkError::NoAnswer { action: "list virtual servers".to_owned() });
        }
        Ok(())
    }

    fn check_scheduler(&mut self, server: &Server) -> Result<(), Errno> {
        if self.lacks.contains(&server.scheduler) {
            self.asked_in_vain += 1;
            return Err(Errno::ENOENT);
        }
        Ok(())
    }

    fn of(&mut self, key: &ServerKey) -> Result<&mut (Server, BTreeMap<SocketAddr, u32>), Errno> {
        self.servers.get_mut(key).ok_or(Errno::ESRCH)
    }

    /// As `ip_vs_genl_set_cmd` (`net/netfilter/ipvs/ip_vs_ctl.c`, v6.1).
    fn execute(&mut self, operation: &Operation) -> Result<(), Errno> {
        match operation {
            Operation::AddServer(server) => {
                if self.servers.contains_key(&server.key) {
                    return Err(Errno::EEXIST);
                }
                self.check_scheduler(server)?;
                self.servers.insert(server.key, (server.clone(), BTreeMap::new()));
            }
            Operation::ChangeServer(server) => {
                self.of(&server.key)?;
                self.check_scheduler(server)?;
                self.of(&server.key)?.0 = server.clone();
            }
            Operation::DeleteServer(key) => {
                self.servers.remove(key).ok_or(Errno::ESRCH)?;
            }
            Operation::AddDestination(key, Destination { address, weight }) => {
                match self.of(key)?.1.insert(*address, *weight) {
                    None => {}
                    Some(before) => {
                        self.of(key)?.1.insert(*address, before);
                        return Err(Errno::EEXIST);
                    }
                }
            }
            Operation::ChangeDestination(key, Destination { address, weight }) => {
                *self.of(key)?.1.get_mut(address).ok_or(Errno::ENOENT)? = *weight;
            }
            Operation::DeleteDestination(key, address) => {
                self.of(key)?.1.remove(address).ok_or(Errno::ENOENT)?;
            }
        }
        Ok(())
    }
}

impl Kernel for FakeKernel {
    fn servers(&mut self) -> Result<Vec<Server>, NetlinkError> {
        let state = self.state();
        state.check_readable()?;
        Ok(state.servers.values().map(|(server, _)| server.clone()).collect())
    }

    fn destinations(&mut self, key: &ServerKey) -> Result<Vec<DestinationState>, NetlinkError> {
        let state = self.state();
        state.check_readable()?;
        let active = state.connections;
        let destinations = state.servers.get(key).into_iter().flat_map(|(_, them)| them);
        let with_state = |(address, weight): (&SocketAddr, &u32)| DestinationState {
            destination: Destination { address: *address, weight: *weight },
            plain: true,
            active,
            inactive: 0,
            persistent: 0,
        };
        Ok(destinations.map(with_state).collect())
    }

    fn execute(&mut self, operations: &[Operation]) -> Result<Vec<Failure>, NetlinkError> {
        let mut state = self.state();
        if state.is_silent {
            return Err(NetlinkError::NoAnswer { action: "change virtual servers".to_owned() });
        }
        let mut failures = Vec::new();
        for (index, operation) in operations.iter().enumerate() {
            if let Err(errno) = state.execute(operation) {
                let refusal = Refusal {
                    operation: operation.to_string(),
                    errno,
                    number: errno as i32,
                    message: None,
                    attribute: None,
                    hint: None,
                };
                failures.push(Failure { index, refusal });
            }
        }
        Ok(failures)
    }

    fn lacks_scheduler(&mut self, name: &str) -> Result<bool, NetlinkError> {
        let mut state = self.state();
        let lacks = state.lacks.contains(name);
        state.asked_in_vain += usize::from(lacks);
        Ok(lacks)
    }

    fn set_timeouts(&mut self, _: Timeouts) -> Result<(), NetlinkError> {
        Ok(())
    }

    fn bytes_sent(&self) -> u64 {
        0
    }
}
