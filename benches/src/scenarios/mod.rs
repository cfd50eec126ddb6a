//! What happens to a node, and what is measured of it.

mod burst;
mod churn;
pub(crate) mod names;
pub(crate) mod plan;
mod relist;
mod single;
mod start;
mod traffic;

pub(crate) use self::burst::DRAINED;
use crate::arguments::Load;
use crate::arms::Arm;
use crate::cluster::Cluster;
use crate::figures::{Figures, Recorder, Size};
use crate::observe::{Observer, Witness};
use crate::progress::Progress;
use crate::session::Session;

/// One run of one arm at one size.
pub(crate) struct Run<'a> {
    pub(crate) arm: &'a Arm,
    pub(crate) run: u32,
    pub(crate) load: &'a Load,
    pub(crate) figures: &'a mut Figures,
    pub(crate) progress: &'a Progress,
}

impl Run<'_> {
    /// Everything, on a node of its own.
    pub(crate) fn measure(&mut self) -> anyhow::Result<()> {
        let mut cluster = Cluster::new(&self.load.spec);
        self.say("the API server takes the cluster");
        let session = Session::new(self.arm, &cluster, self.load)?;
        self.cold_start(&session)?;
        if self.load.connections > 0 {
            self.connections(&session)?;
            self.datagrams(&session)?;
        }
        self.changes(&session, &mut cluster)?;
        self.warm_restart(&session)
    }

    /// All observers are dropped afterwards: nobody may listen to a start, see `observe`.
    fn changes(&mut self, session: &Session<'_>, cluster: &mut Cluster) -> anyhow::Result<()> {
        let node = session.node();
        let mut observer = Observer::start(self.arm.witness, node)?;
        self.replaced(session, &observer, cluster)?;
        self.scaled(session, &observer, cluster)?;
        self.drain(session, &observer, cluster)?;
        self.namespace_deleted(session, &observer, cluster)?;
        if observer.witness == Witness::Generation {
            // It cannot tell apart what follows.
            observer = Observer::start(Witness::Notifications, node)?;
        }
        self.rolling_update(session, &observer, cluster)?;
        self.churn(session, &observer, cluster)?;
        self.relist(session, &observer, cluster)
    }

    fn say(&self, what: &str) {
        let size = self.load.spec.services;
        self.progress.say(&format!(
            "{size} services, {}, run {}: {what}",
            self.arm.name,
            self.run + 1
        ));
    }

    fn recorder(&mut self) -> Recorder<'_> {
        let spec = &self.load.spec;
        let size = Size { services: spec.services, endpoints: spec.endpoints };
        Recorder { figures: self.figures, size, arm: self.arm.name, run: self.run }
    }
}
