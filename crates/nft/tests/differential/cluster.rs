//! What the cluster says, and what the node is told besides.

use std::collections::BTreeMap;

use portolan_core::backend::{LocalPods, NodePortAddresses};
use portolan_core::{EndpointSlice, Environment, Family, NodeInfo, ObjectName, Service, Update};

/// All objects by name, and the settings of the node.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) services: BTreeMap<ObjectName, Service>,
    pub(crate) slices: BTreeMap<ObjectName, EndpointSlice>,
    pub(crate) node: NodeInfo,
    pub(crate) environment: Environment,
    pub(crate) masquerade_all: bool,
}

impl Cluster {
    /// The objects as a source lists them.
    pub(crate) fn listed(&self) -> Vec<Update> {
        vec![
            Update::NodeApplied(self.node.clone()),
            Update::ServiceCidrsReset(self.environment.service_cidrs.clone()),
            Update::ServicesReset(self.services.values().cloned().collect()),
            Update::EndpointSlicesReset(self.slices.values().cloned().collect()),
        ]
    }

    /// Takes in what is also reported to the index.
    pub(crate) fn apply(&mut self, update: Update) {
        match update {
            Update::ServiceApplied(service) => {
                self.services.insert(service.name.clone(), service);
            }
            Update::ServiceDeleted(name) => {
                self.services.remove(&name);
            }
            Update::EndpointSliceApplied(slice) => {
                self.slices.insert(slice.name.clone(), slice);
            }
            Update::EndpointSliceDeleted(name) => {
                self.slices.remove(&name);
            }
            Update::NodeApplied(node) => self.node = node,
            Update::ServiceCidrsReset(networks) => self.environment.service_cidrs = networks,
            // The node's last state stays in use.
            Update::NodeDeleted => {}
            Update::ServicesReset(_) | Update::EndpointSlicesReset(_) => {
                unreachable!("no edit is a list")
            }
        }
    }

    /// The slices of a service and a family.
    pub(crate) fn slices_of(
        &self,
        service: &ObjectName,
        family: Family,
    ) -> impl Iterator<Item = &EndpointSlice> {
        let belongs =
            move |slice: &&EndpointSlice| slice.service == *service && slice.family == family;
        self.slices.values().filter(belongs)
    }

    /// Which of the node's addresses take NodePorts.
    pub(crate) fn node_ports(&self, family: Family) -> &NodePortAddresses {
        match family {
            Family::V4 => &self.environment.node_ports_v4,
            Family::V6 => &self.environment.node_ports_v6,
        }
    }

    /// How connections of the node's pods are recognised.
    pub(crate) fn local_pods(&self, family: Family) -> &LocalPods {
        match family {
            Family::V4 => &self.environment.local_pods_v4,
            Family::V6 => &self.environment.local_pods_v6,
        }
    }
}
