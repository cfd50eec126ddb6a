//! Kubernetes objects to core's types.
//!
//! Whatever cannot be used is skipped and reported with the path of the field; the rest
//! of the object is used. Both sources convert with the same code, and both apply the
//! filters here, so that an object which an API server would not have sent is invisible
//! in a file too.

mod address;
mod endpoint_slice;
mod ipvs_scheduler;
mod node;
mod path;
mod port_fields;
mod report;
mod service;
mod service_addresses;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use ipnet::IpNet;
use portolan_core::{EndpointSlice, NodeInfo, ObjectKind, ObjectName, Problem, Service};

use self::report::Report;
use crate::field::Field;
use crate::manifest::{Annotations, Labels, Manifest, Metadata, Spec, Status};
use crate::names::Names;

/// A converted object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Object {
    Service(Service),
    EndpointSlice(EndpointSlice),
    Node(NodeInfo),
    ServiceCidr(Vec<IpNet>),
}

/// What an object means to this node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Converted {
    /// Namespace and name; no namespace for nodes and ServiceCIDRs.
    pub(crate) name: ObjectName,
    /// `None` if the object exists but is not for us or has nothing to serve: where it
    /// was served before, that is a deletion.
    pub(crate) object: Option<Object>,
    /// What was skipped.
    pub(crate) problems: Vec<Problem>,
}

/// An object without a usable name. Says why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unnamed(pub(crate) String);

/// Converts objects for one node.
#[derive(Debug)]
pub(crate) struct Converter {
    node_name: Box<str>,
    names: Names,
}

impl Converter {
    pub(crate) fn new(node_name: &str) -> Converter {
        Converter { node_name: node_name.into(), names: Names::default() }
    }

    /// Whether `name` is this node's.
    pub(crate) fn is_this_node(&self, name: &ObjectName) -> bool {
        *name.name == *self.node_name
    }

    /// The name of an object.
    pub(crate) fn name_of(
        &mut self,
        kind: ObjectKind,
        manifest: &Manifest,
    ) -> Result<ObjectName, Unnamed> {
        let Some(metadata) = manifest.metadata.value() else {
            return Err(Unnamed(format!("{kind} without metadata")));
        };
        let name = match &metadata.name {
            Field::Value(name) if !name.is_empty() => name,
            Field::Value(_) | Field::Absent => {
                return Err(Unnamed(format!("{kind} without metadata.name")));
            }
            Field::Wrong(found) => {
                return Err(Unnamed(format!(
                    "{kind} whose metadata.name is {found}, not a text: put it in quotes"
                )));
            }
        };
        let namespace = self.namespace(kind, metadata)?;
        Ok(ObjectName { namespace: self.names.share(namespace), name: name.as_str().into() })
    }

    fn namespace<'a>(&self, kind: ObjectKind, metadata: &'a Metadata) -> Result<&'a str, Unnamed> {
        if matches!(kind, ObjectKind::Node | ObjectKind::ServiceCIDR) {
            return Ok("");
        }
        match &metadata.namespace {
            Field::Value(namespace) if !namespace.is_empty() => Ok(namespace),
            // As `kubectl apply` does.
            Field::Value(_) | Field::Absent => Ok("default"),
            Field::Wrong(found) => {
                Err(Unnamed(format!("{kind} whose metadata.namespace is {found}, not a text")))
            }
        }
    }

    /// Converts an object.
    pub(crate) fn convert(
        &mut self,
        kind: ObjectKind,
        manifest: &Manifest,
    ) -> Result<Converted, Unnamed> {
        let name = self.name_of(kind, manifest)?;
        let mut report = Report::new(kind, name.clone());
        let absent = Metadata::default();
        let metadata = manifest.metadata.value().unwrap_or(&absent);
        let input = Input { name: &name, metadata, manifest };
        let object = match kind {
            ObjectKind::Service => {
                service::convert(&input, &mut self.names, &mut report).map(Object::Service)
            }
            ObjectKind::EndpointSlice => {
                endpoint_slice::convert(&input, &mut self.names, &mut report)
                    .map(Object::EndpointSlice)
            }
            ObjectKind::Node if self.is_this_node(&name) => {
                Some(Object::Node(node::convert(&input, &mut self.names, &mut report)))
            }
            ObjectKind::Node => None,
            ObjectKind::ServiceCIDR => {
                let spec = input.spec(&mut report);
                Some(Object::ServiceCidr(report.networks(&spec.cidrs, "spec.cidrs")))
            }
        };
        Ok(Converted { name, object, problems: report.into_problems() })
    }
}

/// What the conversion of each kind starts from.
struct Input<'a> {
    name: &'a ObjectName,
    metadata: &'a Metadata,
    manifest: &'a Manifest,
}

impl<'a> Input<'a> {
    fn labels(&self, report: &mut Report) -> Cow<'a, Labels> {
        let done = "its labels count as absent";
        report.structure(&self.metadata.labels, "metadata.labels", done).unwrap_or_default()
    }

    fn annotations(&self, report: &mut Report) -> Cow<'a, Annotations> {
        let done = "its annotations count as absent";
        let annotations = &self.metadata.annotations;
        report.structure(annotations, "metadata.annotations", done).unwrap_or_default()
    }

    fn spec(&self, report: &mut Report) -> Cow<'a, Spec> {
        let done = "its fields count as absent";
        report.structure(&self.manifest.spec, "spec", done).unwrap_or_default()
    }

    fn status(&self, report: &mut Report) -> Cow<'a, Status> {
        let done = "its fields count as absent";
        report.structure(&self.manifest.status, "status", done).unwrap_or_default()
    }
}
