//! Many changes at once, from the first event to the last commit.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::Run;
use super::names::{DRAIN, NAMESPACE_DELETED, ROLLING_UPDATE};
use crate::cluster::{Cluster, Edit};
use crate::observe::{Observer, Witness};
use crate::session::Session;

/// Services of the drained node's pods.
pub(crate) const DRAINED: u32 = 200;
/// Pods of a deployment that are replaced in one step.
const STEP: usize = 10;
/// From step to step: pods become ready one after another, and the EndpointSlice controller
/// gathers for a moment.
const STEP_EVERY: Duration = Duration::from_millis(20);

impl Run<'_> {
    /// Every pod of one large deployment is replaced, step by step. The time is each
    /// step's: how long its new pods wait for connections.
    pub(super) fn rolling_update(
        &mut self,
        session: &Session<'_>,
        observer: &Observer,
        cluster: &mut Cluster,
    ) -> anyhow::Result<()> {
        let Some(deployment) = cluster.deployment() else { return Ok(()) };
        self.say(ROLLING_UPDATE);
        let before = self.calm(session, observer)?;
        let pods = usize::try_from(self.load.spec.deployment)?;
        for first in (0..pods).step_by(STEP) {
            let edit = cluster.replace(deployment, first, STEP.min(pods - first));
            observer.expect(&edit);
            session.write(&edit)?;
            std::thread::sleep(STEP_EVERY);
        }
        let observed = observer.all(self.load.patience)?;
        for pod in observed {
            self.recorder().time(ROLLING_UPDATE, pod.latency);
        }
        self.record_costs(ROLLING_UPDATE, session, observer, &before)?;
        session.verify(ROLLING_UPDATE, cluster, &HashSet::new())
    }

    /// Two hundred services lose a pod at the same moment. The pods come up elsewhere
    /// afterwards, which is not measured.
    pub(super) fn drain(
        &mut self,
        session: &Session<'_>,
        observer: &Observer,
        cluster: &mut Cluster,
    ) -> anyhow::Result<()> {
        self.say(DRAIN);
        let services = DRAINED.min(self.load.spec.services);
        let services: Vec<u32> = (0..services).map(|round| cluster.spread(round)).collect();
        let edits: Vec<Edit> = services.iter().map(|it| cluster.scale_down(*it)).collect();
        let before = self.calm(session, observer)?;
        let write = || edits.iter().try_for_each(|it| session.write(it));
        let time = self.burst(session, observer, &edits, write)?;
        self.recorder().time(DRAIN, time);
        self.record_costs(DRAIN, session, observer, &before)?;
        session.verify(DRAIN, cluster, &HashSet::new())?;
        for service in services {
            session.write(&cluster.scale_up(service))?;
        }
        Ok(())
    }

    /// A namespace goes with its services, and comes again, which is not measured.
    pub(super) fn namespace_deleted(
        &mut self,
        session: &Session<'_>,
        observer: &Observer,
        cluster: &Cluster,
    ) -> anyhow::Result<()> {
        self.say(NAMESPACE_DELETED);
        let (name, objects, gone) = cluster.namespace_of(self.run);
        let before = self.calm(session, observer)?;
        let time = self.burst(session, observer, &gone, || {
            session.store().delete_namespace(&name)?;
            Ok(())
        })?;
        self.recorder().time(NAMESPACE_DELETED, time);
        self.record_costs(NAMESPACE_DELETED, session, observer, &before)?;
        let without = gone.iter().map(|edit| edit.service).collect();
        session.verify(NAMESPACE_DELETED, cluster, &without)?;
        session.store().put_all(objects)?;
        Ok(())
    }

    /// From the first event to where the last of the edits is seen, or to the last commit
    /// where they are not told apart.
    fn burst(
        &self,
        session: &Session<'_>,
        observer: &Observer,
        edits: &[Edit],
        write: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<Duration> {
        let begin = Instant::now();
        if observer.witness == Witness::Generation {
            write()?;
            return self.last_commit_after(begin, session, observer);
        }
        edits.iter().for_each(|edit| observer.expect(edit));
        write()?;
        let observed = observer.all(self.load.patience)?;
        let last = observed.iter().map(|it| it.due + it.latency).max();
        Ok(last.context("nothing was observed")? - begin)
    }
}
