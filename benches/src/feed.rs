//! A cluster as the agent's core sees it: through the API, and the code of the agent that
//! reads it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use portolan_apiserver::ApiServer;
use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_core::{Environment, Index, ServicePlan, Update};
use portolan_watch::{KubeConfig, SourceEvent, WatchFailures, kube_client, run_kube};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::cluster::{Cluster, Edit, NODE_NAME, POD_NETWORK_V4, SERVICE_NETWORK_V4};

/// How long an event may take from the store to here.
const PATIENCE: Duration = Duration::from_secs(60);
const UNDERWAY: usize = 1024;

/// An API server in the namespace of the caller, and what is read from it.
pub(crate) struct Feed {
    runtime: Runtime,
    events: mpsc::Receiver<SourceEvent>,
    server: ApiServer,
    pub(crate) index: Index,
    /// Another one, which may be a change ahead.
    pub(crate) ahead: Index,
}

impl Feed {
    /// Puts the cluster on the server, reads it and makes plans of it.
    pub(crate) fn new(cluster: &Cluster) -> anyhow::Result<Feed> {
        let server = ApiServer::start(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0))?;
        server.store().put_all(cluster.objects())?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (sender, events) = mpsc::channel(UNDERWAY);
        let url = server.url();
        runtime.spawn(async move {
            let config =
                KubeConfig { node_name: NODE_NAME.to_owned(), failures: WatchFailures::default() };
            match kube_client(None, Some(&url), None).await {
                Ok(client) => run_kube(client, config, sender).await,
                Err(error) => Err(error),
            }
        });
        let [index, ahead] = [(); 2].map(|()| Index::new(NODE_NAME));
        let mut feed = Feed { runtime, events, server, index, ahead };
        feed.read_initial_state()?;
        Ok(feed)
    }

    /// All plans.
    pub(crate) fn plans(&self) -> Vec<Arc<ServicePlan>> {
        self.index.plans().cloned().collect()
    }

    /// Writes an edit and reads it back as updates.
    pub(crate) fn updates(&mut self, edit: &Edit) -> anyhow::Result<Vec<Update>> {
        edit.objects
            .iter()
            .map(|object| {
                self.server.store().put(object)?;
                self.update()
            })
            .collect()
    }

    fn read_initial_state(&mut self) -> anyhow::Result<()> {
        let (mut services, mut slices) = (false, false);
        while !(services && slices) {
            let update = self.update()?;
            services |= matches!(update, Update::ServicesReset(_));
            slices |= matches!(update, Update::EndpointSlicesReset(_));
            self.ahead.apply(update.clone());
            self.index.apply(update);
        }
        self.index.take_changes();
        self.ahead.take_changes();
        Ok(())
    }

    fn update(&mut self) -> anyhow::Result<Update> {
        loop {
            let event = async { timeout(PATIENCE, self.events.recv()).await };
            let event = self.runtime.block_on(event).context("no event from the API server")?;
            match event.context("the watch has ended")? {
                // Node and ServiceCIDRs are part of the environment, which is fixed here.
                SourceEvent::Update(Update::NodeApplied(_) | Update::ServiceCidrsReset(_)) => {}
                SourceEvent::Update(update) => return Ok(update),
                SourceEvent::Problems { problems, .. } => {
                    if let Some(problem) = problems.first() {
                        bail!("the cluster is not as it should be: {problem}");
                    }
                }
            }
        }
    }
}

/// What the agent would know of the node that is measured.
pub(crate) fn environment() -> anyhow::Result<Environment> {
    Ok(Environment {
        service_cidrs: vec![SERVICE_NETWORK_V4.parse()?],
        node_ports_v4: NodePortAddresses::Any,
        local_pods_v4: LocalPods::Source(POD_NETWORK_V4.parse()?),
        ..Environment::default()
    })
}
