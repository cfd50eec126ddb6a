//! The cluster as it really is, and as it was at each moment before.

use std::collections::BTreeMap;

use portolan_apiserver::{Api, Resource};
use serde_json::{Value, json};

use crate::state::{State, WATCHED};

/// The name of what never goes: this node, and one object of each other resource.
const STAYS: &str = "node-1";

/// An API server whose objects change.
pub(crate) struct Cluster {
    pub(crate) api: Api,
    /// Each state that a resource has had, the current one last.
    history: BTreeMap<Resource, Vec<State>>,
    /// Makes each change another one.
    round: u8,
    /// Which of the changing objects each resource has now.
    changing: BTreeMap<Resource, u8>,
}

impl Cluster {
    /// Two objects of each resource, but one Node.
    pub(crate) fn new() -> Cluster {
        let mut cluster = Cluster {
            api: Api::new(),
            history: BTreeMap::new(),
            round: 0,
            changing: BTreeMap::new(),
        };
        for resource in WATCHED {
            cluster.put(resource, None);
            cluster.change(resource);
        }
        cluster
    }

    /// One object comes, one changes and one goes; a Node only changes, and a ServiceCIDR
    /// only comes and goes.
    pub(crate) fn change(&mut self, resource: Resource) {
        self.round += 1;
        let goes = match resource {
            Resource::Nodes => None,
            _ => {
                self.put(resource, Some(self.round));
                self.changing.insert(resource, self.round)
            }
        };
        if resource != Resource::ServiceCidrs {
            self.put(resource, None);
        }
        if let Some(number) = goes {
            self.delete(resource, number);
        }
    }

    /// What the agent should know.
    pub(crate) fn now(&self, resource: Resource) -> &State {
        self.history[&resource].last().unwrap()
    }

    /// Whether the resource has ever been in this state.
    pub(crate) fn has_been(&self, resource: Resource, state: &State) -> bool {
        self.history[&resource].contains(state)
    }

    /// Puts the object that stays, or the changing one of this number.
    fn put(&mut self, resource: Resource, number: Option<u8>) {
        let (name, value) = (name(number), self.value(resource, number));
        self.api.store().put(&object(resource, &name, &value)).unwrap();
        let (key, value) = entry(resource, name, value);
        self.happened(resource, |state| drop(state.insert(key, value)));
    }

    fn delete(&mut self, resource: Resource, number: u8) {
        let (name, value) = (name(Some(number)), self.value(resource, Some(number)));
        let namespace = matches!(resource, Resource::Services | Resource::EndpointSlices);
        let namespace = namespace.then_some("default");
        self.api.store().delete(resource.kind(), namespace, &name).unwrap();
        let (key, _) = entry(resource, name, value);
        self.happened(resource, |state| drop(state.remove(&key)));
    }

    fn happened(&mut self, resource: Resource, change: impl FnOnce(&mut State)) {
        let history = self.history.entry(resource).or_default();
        let mut state = history.last().cloned().unwrap_or_default();
        change(&mut state);
        history.push(state);
    }

    /// An address, a zone or a network.
    fn value(&self, resource: Resource, number: Option<u8>) -> String {
        match (resource, number) {
            (Resource::Nodes, _) => format!("zone-{}", self.round),
            (Resource::ServiceCidrs, number) => format!("10.{}.0.0/16", number.unwrap_or(0)),
            (_, Some(number)) => format!("10.0.1.{number}"),
            (_, None) => format!("10.0.0.{}", self.round),
        }
    }
}

fn name(number: Option<u8>) -> String {
    number.map_or_else(|| STAYS.to_owned(), |number| format!("changes-{number}"))
}

/// How an object stands in a [`State`].
fn entry(resource: Resource, name: String, value: String) -> (String, String) {
    match resource {
        Resource::ServiceCidrs => (value, String::new()),
        _ => (name, value),
    }
}

fn object(resource: Resource, name: &str, value: &str) -> Value {
    match resource {
        Resource::Services => json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"clusterIP": value, "ports": [{"port": 80}]},
        }),
        Resource::EndpointSlices => json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"name": name, "labels": {"kubernetes.io/service-name": "web"}},
            "addressType": "IPv4", "ports": [{"port": 8080}], "endpoints": [{"addresses": [value]}],
        }),
        Resource::ServiceCidrs => json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "ServiceCIDR",
            "metadata": {"name": name}, "spec": {"cidrs": [value]},
        }),
        _ => json!({
            "apiVersion": "v1", "kind": resource.kind(),
            "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": value}},
        }),
    }
}
