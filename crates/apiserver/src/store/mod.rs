//! The objects, their versions and what happened lately.

mod log;
mod snapshot;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

pub(crate) use self::log::{Change, Happening};
pub(crate) use self::snapshot::{Page, Snapshot, Wanted};
use self::state::{State, Table};
use crate::error::Error;
use crate::object::{Draft, Key, Stored};
use crate::resource::{PerResource, Resource};

/// How many changes of each resource are remembered.
const WINDOW: usize = 10_000;

/// The objects of a cluster. Clones are the same store.
///
/// A change is encoded once, by whoever makes it, and all watches send the same bytes.
/// Resource versions count changes of the whole store, from 2 on.
#[derive(Clone, Debug)]
pub struct Store(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: PerResource<watch::Sender<()>>,
}

/// A version that cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unavailable {
    /// What happened since is forgotten; the oldest version that is not.
    TooOld(u64),
    /// It is still to come; the newest there is.
    TooNew(u64),
}

impl Default for Store {
    fn default() -> Store {
        let state = State { version: 1, window: WINDOW, tables: PerResource::default() };
        Store(Arc::new(Shared { state: Mutex::new(state), changed: PerResource::default() }))
    }
}

impl Store {
    /// An empty store.
    pub fn new() -> Store {
        Store::default()
    }

    /// Creates or replaces an object, and returns its resource version. What the object
    /// says of its own version is overwritten. A Service or EndpointSlice without a
    /// namespace is in `default`. One that is so already stays in its version, and nobody is
    /// told, as with an update of the API.
    ///
    /// # Errors
    ///
    /// If its `apiVersion` and `kind` are not served, or it has no name.
    pub fn put(&self, object: &Value) -> Result<u64, Error> {
        let draft = Draft::new(object)?;
        let resource = draft.resource;
        let version = self.lock().put(draft);
        self.wake(resource);
        Ok(version)
    }

    /// The same with an object of any type that is written as one of the API.
    ///
    /// # Errors
    ///
    /// As [`Store::put`], and if it cannot be written as JSON.
    pub fn put_object<T: Serialize>(&self, object: &T) -> Result<u64, Error> {
        let value = serde_json::to_value(object).map_err(|error| Error::Json(error.to_string()))?;
        self.put(&value)
    }

    /// Puts many objects, and tells clients when all are there. Returns the last resource
    /// version.
    ///
    /// # Errors
    ///
    /// As [`Store::put`], for the first that fails; those before it are stored.
    pub fn put_all(&self, objects: impl IntoIterator<Item = Value>) -> Result<u64, Error> {
        let put = |object| Ok(self.lock().put(Draft::new(&object)?));
        let stored = objects.into_iter().try_for_each(|object| put(object).map(drop));
        Resource::ALL.into_iter().for_each(|resource| self.wake(resource));
        stored.map(|()| self.resource_version())
    }

    /// Deletes an object, and returns the resource version of that.
    ///
    /// # Errors
    ///
    /// If there is no such kind or object.
    pub fn delete(&self, kind: &str, namespace: Option<&str>, name: &str) -> Result<u64, Error> {
        let namespace = namespace.unwrap_or_default();
        let missing = || Error::NotFound {
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        };
        let resource = Resource::of_kind(kind).ok_or_else(missing)?;
        let version = self.lock().delete(resource, &Key::new(namespace, name));
        self.wake(resource);
        version.ok_or_else(missing)
    }

    /// Deletes everything in a namespace, object by object, and the Namespace, if there is
    /// one. Returns the last resource version.
    ///
    /// # Errors
    ///
    /// If there was nothing to delete.
    pub fn delete_namespace(&self, namespace: &str) -> Result<u64, Error> {
        let mut last = None;
        {
            let mut state = self.lock();
            for resource in Resource::ALL.into_iter().filter(|found| found.is_namespaced()) {
                for key in state.keys_in(resource, namespace) {
                    last = state.delete(resource, &key).or(last);
                }
            }
            last = state.delete(Resource::Namespaces, &Key::new("", namespace)).or(last);
        }
        Resource::ALL.into_iter().for_each(|resource| self.wake(resource));
        let kind = Resource::Namespaces.kind().to_owned();
        let name = namespace.to_owned();
        last.ok_or(Error::NotFound { kind, namespace: String::new(), name })
    }

    /// Forgets what happened until now. Watches that are up to date go on; those that
    /// resume from an older resource version, and lists that go on from an older page,
    /// are told that it is gone.
    pub fn compact(&self) {
        let mut state = self.lock();
        let version = state.version;
        for resource in Resource::ALL {
            state.tables.of_mut(resource).log.forget(version);
        }
    }

    /// Remembers so many changes of each resource from now on; 10,000 at first. An older
    /// resource version is gone, as with [`Store::compact`].
    pub fn set_window(&self, changes: usize) {
        let mut state = self.lock();
        state.window = changes;
        for resource in Resource::ALL {
            state.tables.of_mut(resource).log.shrink(changes);
        }
    }

    /// The resource version of the last change.
    pub fn resource_version(&self) -> u64 {
        self.lock().version
    }

    /// How many objects of a kind there are; none of a kind that is not served.
    pub fn len(&self, kind: &str) -> usize {
        let Some(resource) = Resource::of_kind(kind) else { return 0 };
        self.lock().tables.of(resource).objects.len()
    }

    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        let state = self.lock();
        Resource::ALL.into_iter().all(|resource| state.tables.of(resource).objects.is_empty())
    }

    /// An object of this name.
    pub(crate) fn get(&self, resource: Resource, key: &Key) -> Option<Arc<Stored>> {
        self.lock().tables.of(resource).objects.get(key).cloned()
    }

    /// Wakes whoever waits for changes of a resource.
    pub(crate) fn subscribe(&self, resource: Resource) -> watch::Receiver<()> {
        self.0.changed.of(resource).subscribe()
    }

    /// Where in the log of a resource a watch begins that has seen everything up to
    /// `version`.
    pub(crate) fn position(&self, resource: Resource, version: u64) -> Result<u64, Unavailable> {
        let state = self.lock();
        state.tables.of(resource).log.position(version)
    }

    /// What happened at and after a position, up to a version, and the position and version
    /// that are reached so. Not more than `limit` changes at one time.
    ///
    /// `None` if some of it is forgotten.
    pub(crate) fn changes(
        &self,
        resource: Resource,
        position: u64,
        until: u64,
        limit: usize,
    ) -> Option<(Vec<Arc<Change>>, u64)> {
        let state = self.lock();
        let changes = state.tables.of(resource).log.from(position, until, limit)?;
        // Nothing is left out if the limit is not reached.
        let seen = match changes.last() {
            Some(last) if changes.len() == limit => last.version,
            _ => state.version.min(until),
        };
        Some((changes, seen))
    }

    fn wake(&self, resource: Resource) {
        self.0.changed.of(resource).send_replace(());
    }

    /// A panic while the lock is held leaves at worst an object without its log entry.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
