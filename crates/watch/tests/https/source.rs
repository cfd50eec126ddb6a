//! A cluster over HTTPS, and the source under test with a kubeconfig for it.
//!
//! Both share one runtime and its paused clock, so no back-off is waited for.

use std::time::Duration;

use portolan_apiserver::{Api, Authority, Credentials, Resource, kubeconfig};
use portolan_core::Update;
use portolan_watch::{KubeConfig, SourceEvent, WatchFailures, kube_client, run_kube};
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// In virtual time: long enough for any back-off.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A server that has one Service.
pub(crate) struct Cluster {
    pub(crate) api: Api,
    pub(crate) authority: Authority,
    pub(crate) url: String,
}

impl Cluster {
    pub(crate) async fn start() -> Cluster {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let (api, authority) = (Api::new(), Authority::new("kubernetes").unwrap());
        let cluster = Cluster { api: api.clone(), authority: authority.clone(), url };
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}});
        cluster.api.store().put(&node).unwrap();
        cluster.put("10.96.0.1");
        tokio::spawn(async move { api.serve_https(&listener, &authority).await.unwrap() });
        cluster
    }

    /// Gives the Service this address.
    pub(crate) fn put(&self, address: &str) {
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"clusterIP": address, "ports": [{"port": 80}]},
        });
        self.api.store().put(&service).unwrap();
    }

    /// The same, for those who ask again: all connections are cut.
    pub(crate) fn ask_again(&self, address: &str) {
        self.api.faults().cut_watches(&[Resource::Services]);
        self.put(address);
    }
}

/// The source under test.
pub(crate) struct Source {
    events: mpsc::Receiver<SourceEvent>,
}

impl Source {
    /// Follows the server at a URL with these credentials, trusting an authority.
    pub(crate) async fn start(
        url: &str,
        authority: &Authority,
        credentials: &Credentials,
        tls_server_name: Option<&str>,
    ) -> Source {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("kubeconfig");
        std::fs::write(&path, kubeconfig(url, Some(authority), credentials)).unwrap();
        let client = kube_client(Some(&path), None, tls_server_name).await.unwrap();
        let (sender, events) = mpsc::channel(1);
        let failures = WatchFailures::default();
        let config = KubeConfig { node_name: "node-1".to_owned(), failures };
        tokio::spawn(async move { run_kube(client, config, sender).await.unwrap() });
        Source { events }
    }

    /// The address that the Service has next. Problems are surprises.
    pub(crate) async fn address(&mut self) -> String {
        loop {
            let service = match self.next().await {
                SourceEvent::Update(Update::ServicesReset(services)) => services.into_iter().next(),
                SourceEvent::Update(Update::ServiceApplied(service)) => Some(service),
                SourceEvent::Update(_) => None,
                other => panic!("{other:?}"),
            };
            if let Some(service) = service {
                return service.cluster_ips.first().unwrap().to_string();
            }
        }
    }

    /// What is wrong. Updates are surprises.
    pub(crate) async fn problem(&mut self) -> String {
        match self.next().await {
            SourceEvent::Problems { problems, .. } => problems.first().unwrap().to_string(),
            other => panic!("{other:?}"),
        }
    }

    async fn next(&mut self) -> SourceEvent {
        timeout(PATIENCE, self.events.recv()).await.unwrap().unwrap()
    }
}
