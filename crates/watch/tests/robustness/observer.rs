//! The source under test, and what it is told while a fault lasts and after.

use std::time::Duration;

use portolan_apiserver::{Api, Authority, Credentials, Resource, kubeconfig};
use portolan_watch::{KubeConfig, SourceEvent, WatchFailures, kube_client, run_kube};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::cluster::Cluster;
use crate::state::{Told, WATCHED};

/// In virtual time: long enough for any back-off.
const PATIENCE: Duration = Duration::from_secs(3600);

pub(crate) struct Observer {
    events: mpsc::Receiver<SourceEvent>,
    told: Told,
    tasks: [JoinHandle<()>; 2],
    /// Until the client has read its configuration.
    _directory: TempDir,
}

impl Observer {
    /// Serves the cluster over a socket, and follows it over real connections: HTTPS, as
    /// clusters have it.
    pub(crate) async fn start(api: &Api) -> Observer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("kubeconfig");
        let url = format!("https://{}", listener.local_addr().unwrap());
        let authority = Authority::new("kubernetes").unwrap();
        let credentials = Credentials::Token("test".to_owned());
        std::fs::write(&path, kubeconfig(&url, Some(&authority), &credentials)).unwrap();
        let client = kube_client(Some(&path), None, None).await.unwrap();
        let (sender, events) = mpsc::channel(1);
        let failures = WatchFailures::default();
        let config = KubeConfig { node_name: "node-1".to_owned(), failures };
        let api = api.clone();
        let serve =
            tokio::spawn(async move { api.serve_https(&listener, &authority).await.unwrap() });
        let follow = tokio::spawn(async move { run_kube(client, config, sender).await.unwrap() });
        let tasks = [serve, follow];
        Observer { events, told: Told::default(), tasks, _directory: directory }
    }

    /// Lets time pass, and looks at everything that is told meanwhile.
    pub(crate) async fn pass(&mut self, time: Duration, cluster: &Cluster) {
        let end = Instant::now() + time;
        while let Ok(event) = timeout_at(end, self.events.recv()).await {
            self.take(event.unwrap(), cluster);
        }
    }

    /// Waits until the agent knows what there is, of all resources, and was told that
    /// nothing is wrong any more.
    pub(crate) async fn settle(&mut self, cluster: &Cluster) {
        let end = Instant::now() + PATIENCE;
        while !self.is_settled(cluster) {
            let Ok(event) = timeout_at(end, self.events.recv()).await else {
                let expected = WATCHED.map(|resource| cluster.now(resource));
                panic!("after an hour, {:?} is not {expected:?}", self.told);
            };
            self.take(event.unwrap(), cluster);
        }
    }

    /// Whether the agent knows a resource as it is.
    pub(crate) fn knows(&self, resource: Resource, cluster: &Cluster) -> bool {
        self.told.of(resource) == Some(cluster.now(resource))
    }

    fn is_settled(&self, cluster: &Cluster) -> bool {
        self.told.troubles.is_empty() && WATCHED.iter().all(|found| self.knows(*found, cluster))
    }

    /// Lets go of the server.
    pub(crate) fn stop(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }

    fn take(&mut self, event: SourceEvent, cluster: &Cluster) {
        let text = format!("{event:?}");
        let Some(resource) = self.told.take(event) else { return };
        let state = self.told.of(resource).unwrap();
        assert!(cluster.has_been(resource, state), "{resource:?} was never {state:?}: {text}");
    }
}
