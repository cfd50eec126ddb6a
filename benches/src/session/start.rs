//! The start of an arm, until the kernel has everything.

use std::time::{Duration, Instant};

use anyhow::bail;

use super::Session;
use crate::ask::{Health, Sent};
use crate::observe::{Changes, Contents};
use crate::process::Usage;

/// How often /healthz is asked while a start is measured: where its end is told by it, and
/// where asking should cost nothing, because the kernel tells.
const ASK_HEALTH_OFTEN: Duration = Duration::from_millis(2);
const ASK_HEALTH_SELDOM: Duration = Duration::from_millis(20);
/// How often an incomplete kernel is listed again.
const LIST_AGAIN: Duration = Duration::from_millis(500);

/// How a process started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started {
    /// From the start of the process to the last commit, if there was one.
    pub(crate) kernel: Option<Duration>,
    /// To the first 200 of /healthz, of arms that tell.
    pub(crate) ready: Option<Duration>,
    /// By how much the generation was raised, if there is one.
    pub(crate) transactions: Option<u32>,
    pub(crate) usage: Usage,
    /// By arms that tell.
    pub(crate) sent: Option<Sent>,
}

impl Session<'_> {
    /// Starts the process and waits until the kernel has everything. If it
    /// `lacks` something, there must be a transaction.
    pub(crate) fn start(&self, lacks: bool) -> anyhow::Result<Started> {
        let command = self.arm.command(&self.found_by, &self.log())?;
        let mut changes = Changes::open(self.node(), self.arm.contents)?;
        let first = changes.last();
        let told_by_health = !lacks || self.arm.contents == Contents::VirtualServers;
        let health = Health::new(if told_by_health { ASK_HEALTH_OFTEN } else { ASK_HEALTH_SELDOM });
        let begin = Instant::now();
        let node = self.node();
        *self.agent.borrow_mut() = Some(node.spawn(command)?);
        let (last, ready) = std::thread::scope(|scope| {
            if self.arm.tells_readiness {
                scope.spawn(|| node.run(|| health.watch()));
            }
            let waited = self.wait_complete(&mut changes, &health, begin, lacks);
            health.stop();
            waited
        })?;
        let since = |at: Instant| at.saturating_duration_since(begin);
        Ok(Started {
            kernel: last.map(since),
            ready: ready.map(since),
            transactions: changes.transactions_since(first),
            usage: self.usage()?,
            sent: self.sent()?,
        })
    }

    /// When the last commit was, and when the arm said that it is ready.
    fn wait_complete(
        &self,
        kernel: &mut Changes,
        health: &Health,
        begin: Instant,
        lacks: bool,
    ) -> anyhow::Result<(Option<Instant>, Option<Instant>)> {
        let mut last = None;
        let mut list_at = begin;
        loop {
            last = kernel.next()?.or(last);
            let now = Instant::now();
            let ready = health.ready();
            let told = !self.arm.tells_readiness || ready.is_some();
            let quiet = now - last.or(ready).unwrap_or(begin) >= self.arm.quiet;
            if told && quiet && (last.is_some() || !lacks) && now >= list_at {
                // Who says nothing may have begun with something else, see `observe`.
                let works = !self.arm.tells_readiness && self.works()?;
                if !works && self.is_complete()? {
                    return Ok((last, ready));
                }
                list_at = Instant::now() + LIST_AGAIN;
            }
            self.is_alive()?;
            if now - begin > self.patience {
                bail!(
                    "{} has not everything in the kernel after {} s\n{}",
                    self.arm.name,
                    self.patience.as_secs(),
                    self.output()
                );
            }
        }
    }

    fn is_complete(&self) -> anyhow::Result<bool> {
        self.arm.contents.are_complete(self.node(), self.frontends, self.arm.written)
    }
}
