//! A followed directory and what its events add up to.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use portolan_core::{NodeInfo, Update};
use portolan_watch::{DirectoryConfig, Notice, SourceEvent, WatchError, run_directory};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Far beyond what any machine needs; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a receiver of the events knows.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Known {
    /// The first ClusterIP of each Service, by name.
    pub(crate) services: BTreeMap<String, String>,
    /// The Service of each EndpointSlice, by name.
    pub(crate) slices: BTreeMap<String, String>,
    pub(crate) node: Option<NodeInfo>,
    pub(crate) service_cidrs: Vec<String>,
    pub(crate) problems: BTreeMap<String, Vec<Notice>>,
}

impl Known {
    pub(crate) fn address(&self, service: &str) -> Option<&str> {
        self.services.get(service).map(String::as_str)
    }

    /// All problems in one text, which is empty if there are none.
    pub(crate) fn problem_text(&self) -> String {
        self.problems.values().flatten().map(|notice| format!("{notice}\n")).collect()
    }

    fn apply(&mut self, event: &SourceEvent) {
        match event {
            SourceEvent::Update(update) => self.apply_update(update),
            SourceEvent::Problems { origin, problems } if problems.is_empty() => {
                assert!(self.problems.remove(origin).is_some(), "{origin} was already mended");
            }
            SourceEvent::Problems { origin, problems } => {
                self.problems.insert(origin.clone(), problems.clone());
            }
        }
    }

    fn apply_update(&mut self, update: &Update) {
        match update {
            Update::ServiceApplied(service) => {
                let address = service.cluster_ips[0].to_string();
                self.services.insert(service.name.name.to_string(), address);
            }
            Update::ServiceDeleted(name) => {
                assert!(self.services.remove(&*name.name).is_some(), "{name} was not there");
            }
            Update::ServicesReset(services) => {
                self.services.clear();
                for service in services {
                    self.apply_update(&Update::ServiceApplied(service.clone()));
                }
            }
            Update::EndpointSliceApplied(slice) => {
                self.slices.insert(slice.name.name.to_string(), slice.service.name.to_string());
            }
            Update::EndpointSliceDeleted(name) => {
                assert!(self.slices.remove(&*name.name).is_some(), "{name} was not there");
            }
            Update::EndpointSlicesReset(slices) => {
                self.slices.clear();
                for slice in slices {
                    self.apply_update(&Update::EndpointSliceApplied(slice.clone()));
                }
            }
            Update::NodeApplied(node) => self.node = Some(node.clone()),
            Update::NodeDeleted => self.node = None,
            Update::ServiceCidrsReset(networks) => {
                self.service_cidrs = networks.iter().map(ToString::to_string).collect();
            }
        }
    }
}

/// A directory that is being followed.
pub(crate) struct Follower {
    /// The parent of the followed directory.
    base: TempDir,
    receiver: mpsc::Receiver<SourceEvent>,
    task: JoinHandle<Result<(), WatchError>>,
    pub(crate) known: Known,
}

impl Follower {
    /// Follows a directory with these files, and has received its initial state.
    pub(crate) async fn start(files: &[(&str, &str)]) -> Follower {
        let base = TempDir::new().unwrap();
        let path = base.path().join("manifests");
        fs::create_dir(&path).unwrap();
        for (name, text) in files {
            fs::write(path.join(name), text).unwrap();
        }
        Follower::follow(base, path).await
    }

    /// Follows `path`, somewhere below `base`.
    pub(crate) async fn follow(base: TempDir, path: PathBuf) -> Follower {
        let (sender, receiver) = mpsc::channel(1);
        let config = DirectoryConfig { path, node_name: "node-1".to_owned() };
        let task = tokio::spawn(run_directory(config, sender));
        let mut follower = Follower { base, receiver, task, known: Known::default() };
        loop {
            // The last part of every initial state.
            let event = follower.next().await;
            if matches!(event, SourceEvent::Update(Update::ServiceCidrsReset(_))) {
                return follower;
            }
        }
    }

    /// The directory above the followed one.
    pub(crate) fn base(&self) -> PathBuf {
        self.base.path().to_owned()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.base.path().join("manifests").join(name)
    }

    /// Writes a file in place.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(crate) fn delete(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    /// The next event, which is applied to what is known.
    pub(crate) async fn next(&mut self) -> SourceEvent {
        match tokio::time::timeout(PATIENCE, self.receiver.recv()).await {
            Ok(Some(event)) => {
                self.known.apply(&event);
                event
            }
            Ok(None) => panic!("the source has ended; known is {:#?}", self.known),
            Err(_) => panic!("no event comes; known is {:#?}", self.known),
        }
    }

    /// Takes events until what is known is as described.
    pub(crate) async fn until(&mut self, described: impl Fn(&Known) -> bool) {
        while !described(&self.known) {
            self.next().await;
        }
    }

    /// Drops the receiver and waits for the source to end.
    pub(crate) async fn stop(self) -> Result<(), WatchError> {
        drop(self.receiver);
        tokio::time::timeout(PATIENCE, self.task).await.unwrap().unwrap()
    }
}

/// A Service of this name, with this address.
pub(crate) fn service(name: &str, address: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\nspec:\n  \
         clusterIP: {address}\n  ports:\n  - port: 80\n"
    )
}

/// An EndpointSlice of this name, of this Service.
pub(crate) fn slice(name: &str, service: &str) -> String {
    format!(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: {name}\n  \
         labels:\n    kubernetes.io/service-name: {service}\naddressType: IPv4\n"
    )
}
