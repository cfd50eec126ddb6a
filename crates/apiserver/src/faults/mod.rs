//! What goes wrong on purpose.

mod fault;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

pub use self::fault::Fault;
pub(crate) use self::fault::Moment;
use crate::resource::{PerResource, Resource};

/// The faults of a server, which begin and end while it runs. Clones are the same.
///
/// Of several faults that could strike, the one that began first does.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    active: Mutex<Vec<Active>>,
    /// How many are active: without any, nobody waits for the lock.
    count: AtomicU64,
    struck: AtomicU64,
    ended: PerResource<AtomicU64>,
    cut: PerResource<AtomicU64>,
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct Active {
    fault: Fault,
    resources: Vec<Resource>,
    /// How often it strikes yet; `None` for ever.
    left: Option<u32>,
}

/// How often the watches of a resource were ended and cut from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interruptions {
    ended: u64,
    cut: u64,
}

impl Faults {
    /// Lets a fault strike these resources until it is ended.
    pub fn begin(&self, resources: &[Resource], fault: Fault) {
        self.add(resources, fault, None);
    }

    /// Lets a fault strike these resources, all together so many times. How it counts, a
    /// [`Fault`] says of itself.
    pub fn begin_for(&self, resources: &[Resource], fault: Fault, times: u32) {
        self.add(resources, fault, Some(times));
    }

    /// Ends all faults. What they have done to a connection is not undone: one that is
    /// silent stays silent.
    pub fn clear(&self) {
        self.lock().clear();
        self.0.count.store(0, Ordering::Release);
        self.0.changed.send_replace(());
    }

    /// How often faults struck so far; a [`Fault::Behind`] is not counted.
    pub fn struck(&self) -> u64 {
        self.0.struck.load(Ordering::Acquire)
    }

    /// Ends all open watches of these resources, as a server does at their timeout.
    pub fn end_watches(&self, resources: &[Resource]) {
        self.interrupt(resources, &self.0.ended);
    }

    /// Cuts the connections of all open watches of these resources.
    pub fn cut_watches(&self, resources: &[Resource]) {
        self.interrupt(resources, &self.0.cut);
    }

    /// The fault that strikes now, if any.
    pub(crate) fn strike(&self, resource: Resource, moment: Moment) -> Option<Fault> {
        if self.0.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let mut active = self.lock();
        let strikes = |active: &Active| {
            active.resources.contains(&resource) && active.fault.strikes_at(moment)
        };
        let found = active.iter_mut().find(|active| strikes(active))?;
        let fault = found.fault.clone();
        found.left = found.left.map(|left| left.saturating_sub(1));
        active.retain(|active| active.left != Some(0));
        self.0.count.store(active.len() as u64, Ordering::Release);
        self.0.struck.fetch_add(1, Ordering::AcqRel);
        Some(fault)
    }

    /// The newest resource version that is told.
    pub(crate) fn newest(&self, resource: Resource) -> u64 {
        if self.0.count.load(Ordering::Acquire) == 0 {
            return u64::MAX;
        }
        let active = self.lock();
        let newest = active.iter().filter(|active| active.resources.contains(&resource));
        newest.filter_map(|active| active.fault.newest()).min().unwrap_or(u64::MAX)
    }

    pub(crate) fn interruptions(&self, resource: Resource) -> Interruptions {
        Interruptions {
            ended: self.0.ended.of(resource).load(Ordering::Acquire),
            cut: self.0.cut.of(resource).load(Ordering::Acquire),
        }
    }

    /// Wakes whoever waits for faults.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.0.changed.subscribe()
    }

    fn add(&self, resources: &[Resource], fault: Fault, left: Option<u32>) {
        if left == Some(0) {
            return;
        }
        let mut active = self.lock();
        active.push(Active { fault, resources: resources.to_vec(), left });
        self.0.count.store(active.len() as u64, Ordering::Release);
        drop(active);
        self.0.changed.send_replace(());
    }

    fn interrupt(&self, resources: &[Resource], counters: &PerResource<AtomicU64>) {
        for resource in resources {
            counters.of(*resource).fetch_add(1, Ordering::AcqRel);
        }
        self.0.changed.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Active>> {
        self.0.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Interruptions {
    /// Whether a watch was cut since.
    pub(crate) fn cut_since(self, earlier: Interruptions) -> bool {
        self.cut != earlier.cut
    }
}
