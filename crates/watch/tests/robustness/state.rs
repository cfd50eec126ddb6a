//! What one resource looks like to the agent.

use std::collections::BTreeMap;

use portolan_apiserver::Resource;
use portolan_core::{EndpointSlice, Service, Update};
use portolan_watch::{Cause, SourceEvent};

/// What is watched.
pub(crate) const WATCHED: [Resource; 4] =
    [Resource::Services, Resource::EndpointSlices, Resource::Nodes, Resource::ServiceCidrs];

/// Objects by name, each with the one thing that changes in these tests: the address of a
/// Service, the endpoint of an EndpointSlice, the zone of the Node. A ServiceCIDR has its
/// network for a name.
pub(crate) type State = BTreeMap<String, String>;

/// What the agent was told so far.
#[derive(Debug, Default)]
pub(crate) struct Told {
    states: BTreeMap<Resource, State>,
    /// What it was told to be wrong and was not taken back, by origin.
    pub(crate) troubles: BTreeMap<String, Vec<String>>,
}

impl Told {
    /// `None` until there is one.
    pub(crate) fn of(&self, resource: Resource) -> Option<&State> {
        self.states.get(&resource)
    }

    /// Takes an event, and returns the resource whose state may be another now.
    pub(crate) fn take(&mut self, event: SourceEvent) -> Option<Resource> {
        match event {
            SourceEvent::Problems { origin, problems } if problems.is_empty() => {
                self.troubles.remove(&origin);
                None
            }
            SourceEvent::Problems { origin, problems } => {
                let text = |cause| match cause {
                    Cause::Other(text) => text,
                    Cause::Object(problem) => problem.to_string(),
                };
                let texts = problems.into_iter().map(|notice| text(notice.cause)).collect();
                self.troubles.insert(origin, texts);
                None
            }
            SourceEvent::Update(update) => Some(self.update(update)),
        }
    }

    fn update(&mut self, update: Update) -> Resource {
        let (resource, change) = change(update);
        let state = self.states.entry(resource).or_default();
        match change {
            Change::All(objects) => *state = objects,
            Change::One(name, value) => drop(state.insert(name, value)),
            Change::Gone(name) => drop(state.remove(&name)),
        }
        resource
    }
}

enum Change {
    All(State),
    One(String, String),
    Gone(String),
}

fn change(update: Update) -> (Resource, Change) {
    match update {
        Update::ServicesReset(services) => {
            (Resource::Services, Change::All(services.iter().map(service).collect()))
        }
        Update::ServiceApplied(found) => {
            let (name, value) = service(&found);
            (Resource::Services, Change::One(name, value))
        }
        Update::ServiceDeleted(name) => (Resource::Services, Change::Gone(name.name.to_string())),
        Update::EndpointSlicesReset(slices) => {
            (Resource::EndpointSlices, Change::All(slices.iter().map(slice).collect()))
        }
        Update::EndpointSliceApplied(found) => {
            let (name, value) = slice(&found);
            (Resource::EndpointSlices, Change::One(name, value))
        }
        Update::EndpointSliceDeleted(name) => {
            (Resource::EndpointSlices, Change::Gone(name.name.to_string()))
        }
        Update::NodeApplied(node) => {
            let zone = node.zone.unwrap_or_default().to_string();
            (Resource::Nodes, Change::One("node-1".to_owned(), zone))
        }
        Update::NodeDeleted => (Resource::Nodes, Change::Gone("node-1".to_owned())),
        Update::ServiceCidrsReset(networks) => {
            let networks = networks.iter().map(|network| (network.to_string(), String::new()));
            (Resource::ServiceCidrs, Change::All(networks.collect()))
        }
    }
}

fn service(service: &Service) -> (String, String) {
    let addresses: Vec<String> = service.cluster_ips.iter().map(ToString::to_string).collect();
    (service.name.name.to_string(), addresses.join(" "))
}

fn slice(slice: &EndpointSlice) -> (String, String) {
    let addresses = slice.endpoints.iter().map(|endpoint| endpoint.address.to_string());
    (slice.name.name.to_string(), addresses.collect::<Vec<String>>().join(" "))
}
