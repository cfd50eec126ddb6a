//! The server has forgotten what a watch would resume from, and everything is listed again.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use portolan_apiserver::Resource;
use serde_json::json;

use super::Run;
use super::names::{RECOVERED, RELIST};
use crate::cluster::Cluster;
use crate::observe::Observer;
use crate::session::Session;

const RESOURCES: [Resource; 2] = [Resource::Services, Resource::EndpointSlices];
/// So long without work means that the lists have been dealt with.
const IDLE: Duration = Duration::from_millis(400);
/// How often that is looked at, and the processor time of idling in between.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const IDLE_CPU: Duration = Duration::from_micros(100);

impl Run<'_> {
    /// Nothing has changed: the cost is processor time and memory, and no operation. Then
    /// once more with a change: the time is how long it waits for the new lists.
    pub(super) fn relist(
        &mut self,
        session: &Session<'_>,
        observer: &Observer,
        cluster: &mut Cluster,
    ) -> anyhow::Result<()> {
        self.say(RELIST);
        let before = self.calm(session, observer)?;
        let begin = Instant::now();
        self.expire(session)?;
        let idle_since = self.idle(session)?;
        self.recorder().time(RELIST, idle_since.saturating_duration_since(begin));
        self.record_costs(RELIST, session, observer, &before)?;

        let before = self.calm(session, observer)?;
        let edit = cluster.replace_next(7);
        self.begin_to_expire(session)?;
        observer.expect(&edit);
        session.write(&edit)?;
        let observed = observer.all(self.load.patience)?;
        let time = observed.first().context("nothing was observed")?.latency;
        self.recorder().time(RECOVERED, time);
        self.record_costs(RECOVERED, session, observer, &before)
    }

    /// Forgets what watches would resume from, and cuts them.
    fn begin_to_expire(&self, session: &Session<'_>) -> anyhow::Result<()> {
        // Of a resource that is not watched: whoever knows the newest version could go on.
        let name = format!("after-{}", session.store().resource_version());
        let metadata = json!({"name": name});
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        session.store().put(&object)?;
        session.store().compact();
        session.server.faults().cut_watches(&RESOURCES);
        Ok(())
    }

    /// The same, and waits until each is asked for anew.
    fn expire(&self, session: &Session<'_>) -> anyhow::Result<()> {
        let asked = || RESOURCES.map(|it| session.server.api().requests_for(it));
        // Once to resume, in vain, and then for everything.
        let goal = asked().map(|before| before + 2);
        self.begin_to_expire(session)?;
        let begin = Instant::now();
        while asked().iter().zip(goal).any(|(asked, goal)| *asked < goal) {
            ensure!(
                begin.elapsed() < self.load.patience,
                "{} does not list again\n{}",
                self.arm.name,
                session.output()
            );
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Since when the process has had nothing to do. To look takes this process one system
    /// call, because it works on the same processors.
    pub(super) fn idle(&self, session: &Session<'_>) -> anyhow::Result<Instant> {
        let begin = Instant::now();
        let (mut last, mut since) = (session.cpu()?, begin);
        loop {
            std::thread::sleep(LOOK_EVERY);
            let looked = Instant::now();
            let now = session.cpu()?;
            if now.saturating_sub(last) > IDLE_CPU {
                since = looked;
            }
            if looked - since >= IDLE {
                return Ok(since);
            }
            ensure!(looked - begin < self.load.patience, "{} is never idle", self.arm.name);
            last = now;
        }
    }
}
