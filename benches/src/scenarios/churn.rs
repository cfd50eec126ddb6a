//! Endpoints of many services change at a steady rate.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::Run;
use super::names::CHURN;
use crate::cluster::Cluster;
use crate::observe::Observer;
use crate::session::Session;

impl Run<'_> {
    /// Each change replaces one pod and is written at its own time, whether or not those
    /// before have arrived. Its latency counts from that time, whenever it was written: if
    /// the harness itself falls behind, changes wait for it as they would for a busy API
    /// server, and the rate shows it.
    pub(super) fn churn(
        &mut self,
        session: &Session<'_>,
        observer: &Observer,
        cluster: &mut Cluster,
    ) -> anyhow::Result<()> {
        let (rate, duration) = (self.load.churn_rate, self.load.churn_duration);
        if rate == 0 || duration.is_zero() {
            return Ok(());
        }
        self.say(&format!("{CHURN}: {rate} changes a second for {} s", duration.as_secs()));
        let before = self.calm(session, observer)?;
        let begin = Instant::now();
        let mut round: u32 = 0;
        loop {
            let due = Duration::from_secs(1) * round / rate;
            if due >= duration {
                break;
            }
            std::thread::sleep(due.saturating_sub(begin.elapsed()));
            let edit = cluster.replace_next(round);
            observer.expect_since(&edit, begin + due);
            session.write(&edit)?;
            round += 1;
        }
        // The last change is due a moment before the end.
        let took = begin.elapsed().max(duration);
        let observed = observer.all(self.load.patience)?;
        for change in &observed {
            self.recorder().time(CHURN, change.latency);
        }
        let reached = observed.len() as f64 / took.as_secs_f64();
        self.recorder().rate_of(CHURN, reached, f64::from(rate));
        self.record_costs(CHURN, session, observer, &before)?;
        session.verify(CHURN, cluster, &HashSet::new())
    }
}
