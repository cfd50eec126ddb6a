//! What is worked out for virtual servers, done to the kernel.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use portolan_core::SyncReport;
use portolan_netlink::Refusal;
use portolan_netlink::ipvs::{Operation, ServerKey};
use tracing::warn;

use super::Manager;
use crate::error::IpvsError;
use crate::servers::Steps;

impl Manager {
    /// Does for these servers what has to be done before the table leads clients there, with
    /// schedulers of which it is known whether the kernel has them. Returns also those that it
    /// refused because it has not.
    pub(super) fn settle_all(
        &mut self,
        keys: impl IntoIterator<Item = ServerKey>,
    ) -> Result<(SyncReport, BTreeSet<ServerKey>), IpvsError> {
        let (start, sent_before) = (Instant::now(), self.bytes_sent());
        let mut steps = Steps::default();
        for key in keys {
            self.servers.settle(key, &self.schedulers, start, &mut steps);
        }
        let Steps { register, servers, destinations, afterwards } = steps;
        self.afterwards.extend(afterwards);
        self.registry.add(&register)?;
        let ips: Vec<IpAddr> = register.iter().filter_map(|(key, _)| key.ip()).collect();
        ips.iter().for_each(|ip| self.paths.use_address(*ip));
        self.paths.lead(ips.into_iter())?;
        let refused = self.execute(&servers)?;
        // Destinations of a server that is not ours are none of our business.
        let destinations: Vec<Operation> = destinations
            .into_iter()
            .filter(|operation| !is_of(operation, &refused.absent))
            .collect();
        self.execute(&destinations)?;
        let sent = SyncReport {
            added: register.len() + servers.len() + destinations.len(),
            transactions: usize::from(!register.is_empty()) + servers.len() + destinations.len(),
            ..SyncReport::default()
        };
        Ok((self.report(sent, start, sent_before), refused.unscheduled))
    }

    /// Does what has to be done once the table leads nobody there. What cannot be done is
    /// worked out anew when everything is compared: by then others may be led there.
    pub(crate) fn finish(&mut self) -> Result<SyncReport, IpvsError> {
        let operations = std::mem::take(&mut self.afterwards);
        let done = self.finish_all(&operations);
        self.incomplete |= done.is_err();
        done
    }

    /// The same where everything was compared: nothing leads where no server is any more, and
    /// it is known who still uses what drains.
    pub(crate) fn conclude(&mut self) -> Result<SyncReport, IpvsError> {
        let report = self.finish()?;
        self.paths.prune()?;
        self.look()?;
        Ok(report)
    }

    fn finish_all(&mut self, operations: &[Operation]) -> Result<SyncReport, IpvsError> {
        let (start, sent_before) = (Instant::now(), self.bytes_sent());
        self.execute(operations)?;
        let gone: Vec<ServerKey> = operations.iter().filter_map(deleted_server).collect();
        self.let_go(&gone)?;
        let sent = SyncReport {
            deleted: operations.len(),
            transactions: operations.len(),
            ..SyncReport::default()
        };
        Ok(self.report(sent, start, sent_before))
    }

    /// Bytes of all that was sent so far to change something.
    fn bytes_sent(&self) -> u64 {
        self.ipvs.bytes_sent() + self.registry.bytes_sent() + self.paths.bytes_sent()
    }

    /// Completes the report of what was sent since then.
    fn report(&self, sent: SyncReport, start: Instant, sent_before: u64) -> SyncReport {
        let bytes = self.bytes_sent().saturating_sub(sent_before);
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        // Nothing sent is nothing to report.
        let kernel = if sent.transactions > 0 { start.elapsed() } else { Duration::ZERO };
        SyncReport { bytes, kernel, ..sent }
    }

    /// Executes and returns what the kernel refused of servers. What is gone already is as
    /// good as deleted; what is refused otherwise concerns one service.
    pub(super) fn execute(&mut self, operations: &[Operation]) -> Result<Refused, IpvsError> {
        let mut refused = Refused::default();
        if operations.is_empty() {
            return Ok(refused);
        }
        for failure in self.ipvs.execute(operations)? {
            let Some(operation) = operations.get(failure.index) else { continue };
            if is_gone(operation, &failure.refusal) {
                continue;
            }
            if let Operation::AddServer(server) = operation {
                refused.absent.insert(server.key);
            }
            match operation {
                Operation::AddServer(server) if failure.refusal.is_duplicate() => {
                    warn!(
                        "virtual server {} was made by another program and is left alone: \
                         connections to it go where that program says",
                        server.key
                    );
                    self.servers.is_of_others(server.key);
                }
                Operation::AddServer(server) | Operation::ChangeServer(server)
                    if failure.refusal.lacks_scheduler() =>
                {
                    self.lacks_scheduler(operation, server)?;
                    refused.unscheduled.insert(server.key);
                }
                operation => {
                    warn!("{}", failure.refusal);
                    self.incomplete = true;
                    self.servers.not_done(operation);
                }
            }
        }
        // They were registered as ours before they were to be.
        let absent: Vec<ServerKey> = refused.absent.iter().copied().collect();
        self.let_go(&absent)?;
        Ok(refused)
    }
}

/// What the kernel refused of servers.
#[derive(Debug, Default)]
pub(super) struct Refused {
    /// They are not there.
    absent: BTreeSet<ServerKey>,
    /// It lacks their scheduler.
    unscheduled: BTreeSet<ServerKey>,
}

fn deleted_server(operation: &Operation) -> Option<ServerKey> {
    match operation {
        Operation::DeleteServer(key) => Some(*key),
        _ => None,
    }
}

fn is_gone(operation: &Operation, refusal: &Refusal) -> bool {
    let deletes =
        matches!(operation, Operation::DeleteServer(_) | Operation::DeleteDestination(..));
    deletes && refusal.is_missing()
}

/// Whether an operation is about the destinations of one of these servers.
fn is_of(operation: &Operation, servers: &BTreeSet<ServerKey>) -> bool {
    match operation {
        Operation::AddDestination(key, _) | Operation::ChangeDestination(key, _) => {
            servers.contains(key)
        }
        _ => false,
    }
}
