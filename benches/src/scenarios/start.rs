//! From the start of the process to a kernel that has everything, API server included.

use anyhow::{Context as _, ensure};

use super::Run;
use super::names::{COLD_START, WARM_RESTART};
use crate::ask::Sent;
use crate::figures::Metric;
use crate::observe::Contents;
use crate::session::{Session, Started};

impl Run<'_> {
    /// On a kernel that has nothing.
    pub(super) fn cold_start(&mut self, session: &Session<'_>) -> anyhow::Result<()> {
        self.say("cold start");
        let started = session.start(true)?;
        let mut over = started.kernel.context("a cold start without a transaction")?;
        if self.arm.contents == Contents::VirtualServers {
            // The last of them is there before its destinations are.
            over = over.max(started.ready.unwrap_or_default());
        }
        self.recorder().time(COLD_START, over);
        self.record_start(COLD_START, &started);
        Ok(())
    }

    /// On a kernel that has everything. An agent that sends nothing can only say itself
    /// that it is ready; that it is, shows every other scenario.
    pub(super) fn warm_restart(&mut self, session: &Session<'_>) -> anyhow::Result<()> {
        self.say("warm restart");
        session.stop()?;
        let started = session.start(!self.arm.tells_readiness)?;
        if let Some(sent) = started.sent {
            let none = sent == Sent::default() && started.transactions.unwrap_or_default() == 0;
            ensure!(
                none,
                "a restart on a kernel that has everything sent {} operations and {} bytes in {} \
                 transactions\n{}",
                sent.operations,
                sent.bytes,
                started.transactions.unwrap_or_default(),
                session.output()
            );
        }
        let over = started.kernel.max(started.ready);
        let over = over.context("a restart that neither sent nor said anything")?;
        self.recorder().time(WARM_RESTART, over);
        self.record_start(WARM_RESTART, &started);
        Ok(())
    }

    fn record_start(&mut self, scenario: &'static str, started: &Started) {
        let mut recorder = self.recorder();
        if let Some(ready) = started.ready {
            recorder.record(scenario, Metric::Ready, ready.as_secs_f64());
        }
        recorder.usage(scenario, &started.usage);
        if let Some(transactions) = started.transactions {
            recorder.count(scenario, Metric::Transactions, transactions.into());
        }
        if let Some(sent) = started.sent {
            // Nobody listens to a start, so only the agent knows.
            recorder.count(scenario, Metric::Operations, sent.operations);
            recorder.count(scenario, Metric::Bytes, sent.bytes);
        }
    }
}
