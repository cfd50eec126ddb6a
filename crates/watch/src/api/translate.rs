//! Watch events of one kind to what the agent is told.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use kube::runtime::watcher::Event;
use portolan_core::{EndpointSlice, ObjectKind, ObjectName, Problem, Service, Update};

use super::object::ApiObject;
use crate::convert::{Converted, Converter, Object};
use crate::event::{Notice, SourceEvent};

/// Keeps no objects, but what a list that is being received needs, the ServiceCIDRs, and
/// the names of objects about which something was said.
#[derive(Debug)]
pub(super) struct Translator {
    kind: ObjectKind,
    node_name: String,
    converter: Converter,
    listing: Listing,
    /// What each ServiceCIDR says, and their union as it was sent.
    service_cidrs: BTreeMap<ObjectName, Vec<IpNet>>,
    sent_cidrs: Option<Vec<IpNet>>,
    node_known: bool,
    /// Origins at which something is wrong.
    troubled: BTreeSet<String>,
}

/// A list that is being received. An object may come twice if it changes meanwhile.
#[derive(Debug, Default)]
struct Listing {
    objects: BTreeMap<ObjectName, Object>,
    problems: BTreeMap<String, Vec<Notice>>,
}

impl Translator {
    pub(super) fn new(kind: ObjectKind, node_name: &str) -> Translator {
        Translator {
            kind,
            node_name: node_name.to_owned(),
            converter: Converter::new(node_name),
            listing: Listing::default(),
            service_cidrs: BTreeMap::new(),
            sent_cidrs: None,
            node_known: false,
            troubled: BTreeSet::new(),
        }
    }

    /// What an event means. A list becomes one reset when it is complete.
    pub(super) fn translate(&mut self, event: Event<ApiObject>) -> Vec<SourceEvent> {
        let sent = match &event {
            Event::InitApply(object) | Event::Apply(object) | Event::Delete(object) => Some(object),
            Event::Init | Event::InitDone => None,
        };
        if let Some(notice) = sent.and_then(|object| self.foreign(object)) {
            return self.ignored(notice, matches!(event, Event::InitApply(_)));
        }
        match event {
            Event::Init => {
                self.listing = Listing::default();
                Vec::new()
            }
            Event::InitApply(object) => {
                self.listed(&object);
                Vec::new()
            }
            Event::InitDone => self.list_done(),
            Event::Apply(object) => self.applied(&object),
            Event::Delete(object) => self.deleted(&object),
        }
    }

    /// What to say about an object of another kind than was asked for. Objects of a list
    /// need not say their kind.
    fn foreign(&self, object: &ApiObject) -> Option<Notice> {
        let kind = object.manifest.kind.value().filter(|kind| **kind != self.kind.to_string())?;
        let text = format!("the server sent a {kind} where a {} belongs: ignored", self.kind);
        Some(Notice::without_place(text))
    }

    fn ignored(&mut self, notice: Notice, listing: bool) -> Vec<SourceEvent> {
        let origin = self.origin_of_unnamed();
        if listing {
            self.listing.problems.entry(origin).or_default().push(notice);
            return Vec::new();
        }
        self.say(origin, vec![notice]).into_iter().collect()
    }

    fn listed(&mut self, object: &ApiObject) {
        match self.converter.convert(self.kind, &object.manifest) {
            Ok(Converted { name, object, problems }) => {
                let origin = self.origin(&name);
                self.listing.problems.remove(&origin);
                if !problems.is_empty() {
                    self.listing.problems.insert(origin, notices(problems));
                }
                match object {
                    Some(object) => self.listing.objects.insert(name, object),
                    None => self.listing.objects.remove(&name),
                };
            }
            Err(unnamed) => {
                let notices = self.listing.problems.entry(self.origin_of_unnamed()).or_default();
                notices.push(Notice::without_place(unnamed.0));
            }
        }
    }

    fn list_done(&mut self) -> Vec<SourceEvent> {
        let Listing { objects, mut problems } = std::mem::take(&mut self.listing);
        let update = match self.kind {
            ObjectKind::Service => Some(Update::ServicesReset(all_services(objects))),
            ObjectKind::EndpointSlice => Some(Update::EndpointSlicesReset(all_slices(objects))),
            ObjectKind::Node => {
                let node = objects.into_values().find_map(as_node);
                if node.is_none() {
                    problems.insert(self.node_origin(), vec![self.no_such_node()]);
                }
                self.node_changed(node)
            }
            ObjectKind::ServiceCIDR => {
                let networks = |(name, object)| as_service_cidr(object).map(|cidrs| (name, cidrs));
                self.service_cidrs = objects.into_iter().filter_map(networks).collect();
                self.service_cidrs_changed()
            }
        };
        let mut events: Vec<_> = update.map(SourceEvent::Update).into_iter().collect();
        let mended: Vec<String> = self
            .troubled
            .iter()
            .filter(|origin| !problems.contains_key(*origin))
            .cloned()
            .collect();
        events.extend(mended.into_iter().filter_map(|origin| self.say(origin, Vec::new())));
        events.extend(problems.into_iter().filter_map(|(origin, found)| self.say(origin, found)));
        events
    }

    fn applied(&mut self, object: &ApiObject) -> Vec<SourceEvent> {
        let converted = match self.converter.convert(self.kind, &object.manifest) {
            Ok(converted) => converted,
            Err(unnamed) => {
                let notice = Notice::without_place(unnamed.0);
                return self.say(self.origin_of_unnamed(), vec![notice]).into_iter().collect();
            }
        };
        let Converted { name, object, problems } = converted;
        if self.kind == ObjectKind::Node && !self.converter.is_this_node(&name) {
            return Vec::new();
        }
        let origin = self.origin(&name);
        let update = match object {
            Some(Object::Service(service)) => Some(Update::ServiceApplied(service)),
            Some(Object::EndpointSlice(slice)) => Some(Update::EndpointSliceApplied(slice)),
            Some(Object::Node(node)) => self.node_changed(Some(node)),
            Some(Object::ServiceCidr(networks)) => {
                self.service_cidrs.insert(name, networks);
                self.service_cidrs_changed()
            }
            None => self.deletion(name),
        };
        let update = update.map(SourceEvent::Update);
        update.into_iter().chain(self.say(origin, notices(problems))).collect()
    }

    fn deleted(&mut self, object: &ApiObject) -> Vec<SourceEvent> {
        let Ok(name) = self.converter.name_of(self.kind, &object.manifest) else {
            return Vec::new();
        };
        if self.kind == ObjectKind::Node && !self.converter.is_this_node(&name) {
            return Vec::new();
        }
        let origin = self.origin(&name);
        let notices =
            if self.kind == ObjectKind::Node { vec![self.no_such_node()] } else { Vec::new() };
        let update = self.deletion(name).map(SourceEvent::Update);
        update.into_iter().chain(self.say(origin, notices)).collect()
    }

    fn deletion(&mut self, name: ObjectName) -> Option<Update> {
        match self.kind {
            ObjectKind::Service => Some(Update::ServiceDeleted(name)),
            ObjectKind::EndpointSlice => Some(Update::EndpointSliceDeleted(name)),
            ObjectKind::Node => self.node_changed(None),
            ObjectKind::ServiceCIDR => {
                self.service_cidrs.remove(&name);
                self.service_cidrs_changed()
            }
        }
    }

    fn node_changed(&mut self, node: Option<portolan_core::NodeInfo>) -> Option<Update> {
        let was_known = std::mem::replace(&mut self.node_known, node.is_some());
        node.map(Update::NodeApplied).or(was_known.then_some(Update::NodeDeleted))
    }

    /// Two objects may have the same network, so one that goes may leave it behind.
    fn service_cidrs_changed(&mut self) -> Option<Update> {
        let union: BTreeSet<IpNet> = self.service_cidrs.values().flatten().copied().collect();
        let union: Vec<IpNet> = union.into_iter().collect();
        if self.sent_cidrs.as_ref() == Some(&union) {
            return None;
        }
        self.sent_cidrs = Some(union.clone());
        Some(Update::ServiceCidrsReset(union))
    }

    /// The event for what is wrong at an origin now; none if nothing is and nothing was.
    fn say(&mut self, origin: String, problems: Vec<Notice>) -> Option<SourceEvent> {
        if problems.is_empty() {
            self.troubled.remove(&origin).then_some(SourceEvent::Problems { origin, problems })
        } else {
            self.troubled.insert(origin.clone());
            Some(SourceEvent::Problems { origin, problems })
        }
    }

    fn origin(&self, name: &ObjectName) -> String {
        format!("{} {name}", self.kind)
    }

    fn origin_of_unnamed(&self) -> String {
        format!("{} without a name", self.kind)
    }

    fn node_origin(&self) -> String {
        format!("{} {}", self.kind, self.node_name)
    }

    fn no_such_node(&self) -> Notice {
        let name = &self.node_name;
        Notice::without_place(format!(
            "there is no Node {name}: zone, addresses and pod networks of this node are not \
             known; is its name right?"
        ))
    }
}

fn notices(problems: Vec<Problem>) -> Vec<Notice> {
    problems.into_iter().map(Notice::from).collect()
}

fn all_services(objects: BTreeMap<ObjectName, Object>) -> Vec<Service> {
    let service = |object| match object {
        Object::Service(service) => Some(service),
        _ => None,
    };
    objects.into_values().filter_map(service).collect()
}

fn all_slices(objects: BTreeMap<ObjectName, Object>) -> Vec<EndpointSlice> {
    let slice = |object| match object {
        Object::EndpointSlice(slice) => Some(slice),
        _ => None,
    };
    objects.into_values().filter_map(slice).collect()
}

fn as_node(object: Object) -> Option<portolan_core::NodeInfo> {
    match object {
        Object::Node(node) => Some(node),
        _ => None,
    }
}

fn as_service_cidr(object: Object) -> Option<Vec<IpNet>> {
    match object {
        Object::ServiceCidr(networks) => Some(networks),
        _ => None,
    }
}
