//! When the backend has to be told that this node's settings are others.

use std::io;
use std::mem::take;
use std::net::IpAddr;
use std::time::Duration;

use portolan_core::{Environment, Index, Update};
use portolan_watch::{Cause, Notice};
use tokio::time::Instant;
use tracing::warn;

use super::{Call, CallKind, Reconciler, State};
use crate::backend_thread::Work;
use crate::config::{Config, SourceConfig};
use crate::environment::{self, ReadInterfaces};

/// What the backend works with of this node, and whether it is still so.
pub(super) struct Surroundings {
    read_interfaces: ReadInterfaces,
    /// What the backend is told with the next call; the same as with the last one, unless
    /// `changed`.
    environment: Option<Environment>,
    /// Something that it depends on may have changed.
    stale: bool,
    changed: bool,
    /// Other addresses take NodePorts than when flows were last looked at.
    node_ports_changed: bool,
    node_deleted: bool,
}

impl Surroundings {
    pub(super) fn new(read_interfaces: ReadInterfaces) -> Surroundings {
        Surroundings {
            read_interfaces,
            environment: None,
            stale: true,
            changed: false,
            node_ports_changed: false,
            node_deleted: false,
        }
    }

    /// Before the index takes it.
    pub(super) fn saw(&mut self, update: &Update) {
        match update {
            Update::NodeApplied(_) => self.node_deleted = false,
            Update::NodeDeleted => self.node_deleted = true,
            Update::ServiceCidrsReset(_) => {}
            _ => return,
        }
        self.stale = true;
    }

    /// They are looked at before the next call.
    pub(super) fn may_have_changed(&mut self) {
        self.stale = true;
    }

    /// Whether the backend works with others. Counts as told.
    pub(super) fn take_changed(&mut self) -> bool {
        take(&mut self.changed)
    }

    /// `None` before the first call.
    pub(super) fn known(&self) -> Option<&Environment> {
        self.environment.as_ref()
    }

    /// What the backend was told, or would be.
    pub(super) fn known_or_resolved(
        &self,
        index: &Index,
        config: &Config,
    ) -> io::Result<Environment> {
        match self.known() {
            Some(told) => Ok(told.clone()),
            None => {
                let (node, cidrs) = (index.node(), index.service_cidrs());
                environment::resolve(config, node, cidrs, &*self.read_interfaces)
            }
        }
    }

    /// The addresses of this node's interfaces, as they are now.
    pub(super) fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        (self.read_interfaces)()
    }

    /// What the backend is told.
    pub(super) fn environment(&self) -> Environment {
        self.environment.clone().unwrap_or_default()
    }

    pub(super) fn is_node_deleted(&self) -> bool {
        self.node_deleted
    }

    fn read(&mut self, config: &Config, index: &Index) {
        let (node, cidrs) = (index.node(), index.service_cidrs());
        let environment = environment::resolve(config, node, cidrs, &*self.read_interfaces);
        let environment = environment.or_else(|error| {
            warn!("cannot read the addresses of this node's interfaces: {error}");
            match &self.environment {
                // Until they can be read, the addresses of last time are the best guess.
                Some(environment) => Ok(environment.clone()),
                None => environment::resolve(config, node, cidrs, &|| Ok(Vec::new())),
            }
        });
        let Ok(environment) = environment else { return };
        if self.environment.as_ref() != Some(&environment) {
            self.changed = self.environment.is_some();
            let known = self.environment.as_ref();
            self.node_ports_changed |= known.is_some_and(|it| !it.has_node_ports_of(&environment));
            self.environment = Some(environment);
        }
    }
}

impl Reconciler {
    /// Interface addresses may have changed.
    pub(crate) fn recheck_environment(&mut self) {
        self.surroundings.may_have_changed();
    }

    pub(super) fn refresh_environment(&mut self) {
        if !take(&mut self.surroundings.stale) {
            return;
        }
        let absent = self.surroundings.node_deleted
            || matches!(self.config.source, SourceConfig::Directory(_));
        let missing = environment::missing(&self.config, self.index.node(), absent).into_iter();
        let missing = missing.map(|text| Notice { place: None, cause: Cause::Other(text) });
        self.problems.source_says("this node".to_owned(), missing.collect());
        self.count_problems();
        self.surroundings.read(&self.config, &self.index);
    }

    /// Changes of services wait for the next call, and so does `waiting_since`.
    pub(super) fn adapt_work(&mut self, now: Instant, planning: Duration) -> Work {
        let since = self.waiting_since.unwrap_or(now);
        if take(&mut self.surroundings.node_ports_changed) {
            self.announce_all_flows();
        }
        self.state = State::Busy(Call { kind: CallKind::Adapt, services: 0, since, planning });
        Work::Adapt(self.surroundings.environment())
    }
}
